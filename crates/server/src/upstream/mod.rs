//! Where seats come from: the portal. `files` is what is carried by hand, `link` the way over the network, `portal` what
//! goes over it by itself.

mod due;
pub(crate) mod files;
pub(crate) mod link;
pub(crate) mod portal;

pub(crate) use due::Due;
