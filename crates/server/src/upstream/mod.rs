//! Where seats come from: the portal, for now by files carried by hand.

pub(crate) mod files;
