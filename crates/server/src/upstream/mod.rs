//! Where seats come from: the portal. Its documents come as files carried by hand; `link` is the way to it over the
//! network.

pub(crate) mod files;
pub(crate) mod link;
