//! A request that is sent twice with one key is carried out once: its answer is kept in the transaction that did it.

use super::Caller;
use crate::failure::Failure;
use crate::store::idempotency;
use leasehold_core::ids::AccountId;
use leasehold_core::text;
use leasehold_core::time::{DAY_MS, Ms};
use leasehold_db::Tx;
use leasehold_trust::secret::sha256_hex;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Keys are remembered this long.
pub(crate) const REMEMBERED_MS: i64 = DAY_MS;

/// A caller's own name for one request: 1 to 128 visible ASCII characters.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// Checks a key.
    pub fn new(key: &str) -> Result<IdempotencyKey, Failure> {
        if key.is_empty() {
            return Err(Failure::invalid("Idempotency-Key", text::TextError::Empty));
        }
        text::token(key).map_err(|why| Failure::invalid("Idempotency-Key", why))?;
        Ok(IdempotencyKey(key.to_owned()))
    }
}

/// One request that is to be carried out once.
#[derive(Clone)]
pub(super) struct Once {
    key: Option<(AccountId, String)>,
    request_sha256: String,
    now: Ms,
}

impl Once {
    /// `request` is what makes two requests the same, without secrets: its hash is stored.
    pub(super) fn new(
        caller: &Caller,
        key: Option<&IdempotencyKey>,
        operation: &'static str,
        request: &impl Serialize,
        now: Ms,
    ) -> Result<Once, Failure> {
        let key = key.map(|key| caller.id().map(|account| (account, key.0.clone()))).transpose()?;
        let text = serde_json::to_vec(&(operation, request)).map_err(|why| Failure::Internal(why.to_string()))?;
        Ok(Once { key, request_sha256: sha256_hex(&text), now })
    }

    /// Does `work` in `tx` unless it was done before; then the first answer.
    pub(super) fn run<T: Serialize + DeserializeOwned>(
        &self,
        tx: &mut Tx<'_>,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let Some((account, key)) = &self.key else { return work(tx) };
        if idempotency::take(tx, *account, key, &self.request_sha256, self.now)? {
            let answer = work(tx)?;
            let text = serde_json::to_string(&answer).map_err(|why| Failure::Internal(why.to_string()))?;
            idempotency::answer(tx, *account, key, &text)?;
            return Ok(answer);
        }
        let earlier = idempotency::find(tx, *account, key)?
            .ok_or_else(|| Failure::Internal("an idempotency key vanished".to_owned()))?;
        if earlier.request_sha256 != self.request_sha256 {
            return Err(Failure::KeyReused);
        }
        serde_json::from_str(&earlier.answer).map_err(|why| Failure::Internal(format!("a kept answer: {why}")))
    }
}
