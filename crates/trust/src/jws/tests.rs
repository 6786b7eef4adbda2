use super::*;
use serde_json::{Value, json};

const WANTED: &str = typ::LEASE;
const MAX: usize = 4_096;

fn read(token: &str, key: &PublicKey) -> Result<Value, DocumentError> {
    Unverified::split(token, WANTED, MAX)?.verify(key, 1)
}

/// A document with any header, signed as ES256 by `key`.
fn with_header(header: &Value, claims: &Value, key: &SigningKey) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(header), part(claims));
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(key.sign_fixed(message.as_bytes())))
}

#[test]
fn a_stock_library_reads_our_documents_and_we_read_its() {
    use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
    let key = SigningKey::generate();
    let claims = json!({"v": 1, "sub": "lease", "text": "ü"});
    let mut rules = Validation::new(Algorithm::ES256);
    rules.required_spec_claims.clear();
    let theirs = DecodingKey::from_jwk(&serde_json::from_str(&key.public().to_jwk()).unwrap()).unwrap();
    let ours = Signer::new(key.clone(), WANTED, &[]).sign(&claims);
    assert_eq!(decode::<Value>(&ours, &theirs, &rules).unwrap().claims, claims);

    let mut header = Header::new(Algorithm::ES256);
    header.typ = Some(WANTED.to_owned());
    header.kid = Some(key.thumbprint().to_string());
    let token = encode(&header, &claims, &EncodingKey::from_ec_der(key.to_pkcs8_der().secret_pkcs8_der())).unwrap();
    assert_eq!(read(&token, &key.public()), Ok(claims));
}

#[test]
fn the_algorithm_is_never_taken_from_the_document() {
    let key = SigningKey::generate();
    let claims = json!({"v": 1});
    let header = |alg: &str| json!({"alg": alg, "typ": WANTED, "kid": key.thumbprint()});
    assert!(read(&with_header(&header("ES256"), &claims, &key), &key.public()).is_ok());
    for alg in ["none", "HS256", "ES384", "RS256", "es256", ""] {
        let token = with_header(&header(alg), &claims, &key);
        assert_eq!(read(&token, &key.public()), Err(DocumentError::BadSignature), "{alg}");
    }
    // HS256 with the public key as its secret: what confuses a verifier that believes the header.
    let message =
        format!("{}.{}", URL_SAFE_NO_PAD.encode(header("HS256").to_string()), URL_SAFE_NO_PAD.encode("{\"v\":1}"));
    let secret = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &key.public().to_spki_der());
    let forged = format!("{message}.{}", URL_SAFE_NO_PAD.encode(aws_lc_rs::hmac::sign(&secret, message.as_bytes())));
    assert_eq!(read(&forged, &key.public()), Err(DocumentError::BadSignature));
    let unsigned =
        format!("{}.{}.", URL_SAFE_NO_PAD.encode(header("none").to_string()), URL_SAFE_NO_PAD.encode("{\"v\":1}"));
    assert_eq!(read(&unsigned, &key.public()), Err(DocumentError::BadSignature));
}

#[test]
fn a_document_of_another_type_version_or_shape_is_refused() {
    let key = SigningKey::generate();
    let header = json!({"alg": "ES256", "typ": WANTED, "kid": key.thumbprint()});
    let sign = |header: &Value, claims: &Value| with_header(header, claims, &key);
    let good = sign(&header, &json!({"v": 1}));

    let mut other_type = header.clone();
    other_type["typ"] = json!(typ::GRANT);
    let wrong = read(&sign(&other_type, &json!({"v": 1})), &key.public());
    assert_eq!(wrong, Err(DocumentError::WrongType { wanted: WANTED }));

    let newer = read(&sign(&header, &json!({"v": 2, "all": "new"})), &key.public()).unwrap_err();
    assert_eq!(newer, DocumentError::NewerFormat { v: 2 });
    assert!(newer.to_string().contains("update the program that reads it"));
    for claims in [json!({"v": 0}), json!({"v": -1}), json!({"v": "1"}), json!({}), json!([]), json!(null)] {
        assert!(matches!(read(&sign(&header, &claims), &key.public()), Err(DocumentError::Malformed(_))), "{claims}");
    }

    let mut critical = header.clone();
    critical["crit"] = json!(["exp"]);
    assert_eq!(read(&sign(&critical, &json!({"v": 1})), &key.public()), Err(DocumentError::BadSignature));

    let stranger = SigningKey::generate();
    assert_eq!(read(&good, &stranger.public()), Err(DocumentError::BadSignature));
    for bad in
        [format!("{good}."), format!("{good} "), format!("{good}A"), format!("x.{good}"), good.replacen('.', "..", 1)]
    {
        assert!(read(&bad, &key.public()).is_err(), "{bad}");
    }
    let long = "x".repeat(MAX + 1);
    assert_eq!(read(&long, &key.public()), Err(DocumentError::Oversized { bytes: MAX + 1, max: MAX }));
}

#[test]
fn claims_are_not_looked_at_before_the_signature() {
    let (key, stranger) = (SigningKey::generate(), SigningKey::generate());
    let header = json!({"alg": "ES256", "typ": WANTED, "kid": key.thumbprint()});
    let newer = with_header(&header, &json!({"v": 9}), &stranger);
    assert_eq!(read(&newer, &key.public()), Err(DocumentError::BadSignature), "a stranger's version means nothing");
}
