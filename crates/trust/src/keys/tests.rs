use super::*;

#[test]
fn a_key_round_trips_through_its_files() {
    let key = SigningKey::generate();
    let read = SigningKey::from_pkcs8_pem(&key.to_pkcs8_pem()).unwrap();
    assert_eq!(read.public(), key.public());
    assert!(key.public().verifies_fixed(b"message", &read.sign_fixed(b"message")));
    assert!(!key.public().verifies_fixed(b"other", &read.sign_fixed(b"message")));
}

#[test]
fn an_encrypted_key_opens_with_its_passphrase_only() {
    let key = SigningKey::generate();
    let file = key.to_encrypted_pem("correct horse");
    assert!(!file.contains(&key.to_pkcs8_pem()[30..60]));
    assert_eq!(SigningKey::from_encrypted_pem(&file, "correct horse").unwrap().public(), key.public());
    assert_eq!(SigningKey::from_encrypted_pem(&file, "wrong").unwrap_err(), KeyError::WrongPassphrase);
    assert_eq!(SigningKey::from_pkcs8_pem(&file).unwrap_err(), KeyError::Encrypted);
    assert_eq!(SigningKey::from_encrypted_pem(&key.to_pkcs8_pem(), "x").unwrap_err(), KeyError::NotAKey);
}

#[test]
fn a_public_key_round_trips_through_its_forms() {
    let key = SigningKey::generate().public();
    assert_eq!(PublicKey::from_spki_der(&key.to_spki_der()), Ok(key));
    assert_eq!(PublicKey::from_jwk(&key.to_jwk()), Ok(key));
    let thumbprint = key.thumbprint();
    assert_eq!(thumbprint.as_str().parse::<Thumbprint>(), Ok(thumbprint.clone()));
    let json = serde_json::to_string(&thumbprint).unwrap();
    assert_eq!(serde_json::from_str::<Thumbprint>(&json).unwrap(), thumbprint);
}

#[test]
fn thumbprints_agree_with_an_independent_implementation() {
    let key = SigningKey::generate().public();
    let jwk: jsonwebtoken::jwk::Jwk = serde_json::from_str(&key.to_jwk()).unwrap();
    assert_eq!(jwk.thumbprint(jsonwebtoken::jwk::ThumbprintHash::SHA256).unwrap(), key.thumbprint().as_str());
}

#[test]
fn what_is_no_key_is_refused() {
    let key = SigningKey::generate().public();
    let mut off_curve = key.to_spki_der();
    off_curve[60] ^= 1;
    assert_eq!(PublicKey::from_spki_der(&off_curve), Err(KeyError::NotP256));
    let mut trailing = key.to_spki_der();
    trailing.push(0);
    assert_eq!(PublicKey::from_spki_der(&trailing), Err(KeyError::NotP256));
    assert_eq!(PublicKey::from_jwk(&key.to_jwk().replace("P-256", "P-384")), Err(KeyError::NotP256));
    assert_eq!(PublicKey::from_jwk(&" ".repeat(KEY_TEXT_BYTES_MAX + 1)), Err(KeyError::NotAKey));
    for text in ["", "hello", &"A".repeat(44), &"A".repeat(42), &format!("{}B", "A".repeat(42))] {
        assert!(text.parse::<Thumbprint>().is_err(), "{text}");
    }
    for text in ["", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", &"x".repeat(9_000)] {
        assert!(SigningKey::from_pkcs8_pem(text).is_err());
    }
}

#[test]
fn a_key_is_never_printed() {
    let key = SigningKey::generate();
    assert_eq!(format!("{key:?}"), format!("SigningKey({})", key.thumbprint()));
}
