//! Names that stand for names: the same for the same, and not to be guessed from a list of names without the key.

use leasehold_trust::secret::sha256_hex;

/// Hexadecimal digits of a pseudonym: of a million names no two are expected to have the same.
const DIGITS: usize = 12;

/// The pseudonym of a user or a host. No name stays none.
pub(super) fn pseudonym(secret: &str, user: bool, name: &str) -> String {
    if name.is_empty() {
        return String::new();
    }
    let kind = if user { "user" } else { "host" };
    // The key has a fixed length, so no other key and name make the same bytes; what is cut off cannot be gone on from.
    let digest = sha256_hex(format!("{secret}/{kind}/{name}").as_bytes());
    format!("{kind}-{}", digest.get(..DIGITS).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_name_has_one_pseudonym_for_each_key_and_kind() {
        let of = pseudonym("k1", true, "ann");
        assert_eq!(of, pseudonym("k1", true, "ann"));
        assert!(of.starts_with("user-") && of.len() == 17 && !of.contains("ann"));
        for other in [pseudonym("k2", true, "ann"), pseudonym("k1", false, "ann"), pseudonym("k1", true, "Ann")] {
            assert_ne!(of, other);
        }
        assert_eq!(pseudonym("k1", true, ""), "");
    }
}
