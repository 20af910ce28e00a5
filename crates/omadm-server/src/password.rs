//! Passwords of people: Argon2id with its recommended cost, a bounded number at a time, away from the threads that serve requests.

use std::sync::Arc;

use argon2::Argon2;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use omadm_auth::Secret;
use omadm_store::StoredSecret;
use tokio::sync::Semaphore;

use crate::ServerError;

/// Shortest and longest password in characters.
const LENGTH: std::ops::RangeInclusive<usize> = 12..=1_024;
/// How many checks may wait for each that runs.
const WAITING: usize = 8;

/// Makes and checks what is kept of passwords.
pub struct Passwords {
    running: Arc<Semaphore>,
    admitted: Semaphore,
    /// Of nobody: who names a user that does not exist waits as long as others.
    nobody: StoredSecret,
}

/// Why a password was not checked.
#[derive(Debug)]
pub enum Unchecked {
    /// Too many are being checked.
    Busy,
    /// It could not be done.
    Failed(ServerError),
}

impl Passwords {
    /// Checks so many at a time.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn new(at_a_time: usize) -> Result<Self, ServerError> {
        Ok(Self {
            running: Arc::new(Semaphore::new(at_a_time)),
            admitted: Semaphore::new(at_a_time.saturating_mul(WAITING + 1)),
            nobody: hash(&crate::random::secret("")?)?,
        })
    }

    /// What is kept of a password.
    ///
    /// # Errors
    /// [`Unchecked`]
    pub async fn hash(&self, password: Secret) -> Result<StoredSecret, Unchecked> {
        self.run(move || hash(&password)).await?.map_err(Unchecked::Failed)
    }

    /// Whether a password is the one of which `kept` was kept; never, and after the same time, if there is nothing.
    ///
    /// # Errors
    /// [`Unchecked`]
    pub async fn matches(&self, kept: Option<&StoredSecret>, password: Secret) -> Result<bool, Unchecked> {
        let exists = kept.is_some();
        let kept = kept.unwrap_or(&self.nobody).clone();
        let matches = self.run(move || verifies(&kept, &password)).await?;
        Ok(matches && exists)
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Unchecked> {
        let _admitted = self.admitted.try_acquire().map_err(|_| Unchecked::Busy)?;
        // Held by the work itself: it goes on when who asked has gone.
        let slot = self.running.clone().acquire_owned().await.map_err(|_| Unchecked::Busy)?;
        let work = tokio::task::spawn_blocking(move || {
            let _slot = slot;
            work()
        });
        work.await.map_err(|error| Unchecked::Failed(ServerError::Password(error.to_string())))
    }
}

/// Whether a text can be a password.
///
/// # Errors
/// A sentence that says what it has to be.
pub fn check(password: &str) -> Result<(), String> {
    if LENGTH.contains(&password.chars().count()) {
        return Ok(());
    }
    Err(format!("a password has {} to {} characters", LENGTH.start(), LENGTH.end()))
}

fn hash(password: &Secret) -> Result<StoredSecret, ServerError> {
    let hash = Argon2::default().hash_password(password.expose());
    let hash = hash.map_err(|error| ServerError::Password(error.to_string()))?;
    Ok(hash.to_string().into_bytes().into())
}

fn verifies(kept: &StoredSecret, password: &Secret) -> bool {
    let kept = std::str::from_utf8(kept.expose()).unwrap_or_default();
    Argon2::default().verify_password(password.expose(), kept).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text.as_bytes().to_vec())
    }

    #[tokio::test]
    async fn a_password_is_known_again_and_not_kept() {
        let passwords = Passwords::new(1).unwrap();
        let kept = passwords.hash(secret("correct horse")).await.unwrap();
        let text = std::str::from_utf8(kept.expose()).unwrap();
        assert!(text.starts_with("$argon2id$v=19$m=19456,t=2,p=1$") && !text.contains("horse"), "{text}");
        assert!(passwords.matches(Some(&kept), secret("correct horse")).await.unwrap());
        assert!(!passwords.matches(Some(&kept), secret("correct horsf")).await.unwrap());
        assert!(!passwords.matches(None, secret("correct horse")).await.unwrap());
        let broken = b"no hash".to_vec().into();
        assert!(!passwords.matches(Some(&broken), secret("no hash")).await.unwrap());
    }

    #[tokio::test]
    async fn so_many_wait_and_no_more() {
        let passwords = Passwords::new(1).unwrap();
        let _taken = passwords.running.clone().acquire_owned().await.unwrap();
        let _waiting = passwords.admitted.acquire_many(u32::try_from(WAITING + 1).unwrap()).await.unwrap();
        assert!(matches!(passwords.matches(None, secret("x")).await, Err(Unchecked::Busy)));
    }

    #[test]
    fn a_password_is_neither_short_nor_endless() {
        assert!(check("elevenchars").is_err() && check("twelve chars").is_ok());
        assert!(check(&"ä".repeat(1_024)).is_ok() && check(&"a".repeat(1_025)).is_err());
    }
}
