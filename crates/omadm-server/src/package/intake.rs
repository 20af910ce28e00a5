//! Packages on their way in: written piece by piece, and known only when they are complete.

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use object_store::{MultipartUpload, ObjectStoreExt as _};
use omadm_mo::Time;
use omadm_store::{Package, PackageKind, Store, StoreError};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::Packages;
use crate::patience::{Lost, Patience};

/// Length of a piece: the least that S3 takes (5 MiB), and all of a package that is in memory.
const PIECE: usize = 5 << 20;
/// Octets of a refused package that are read all the same: who sends it without a pause would see a broken connection, and not why.
const HEARD_OUT: usize = 16 << 20;

/// A package that is to be stored.
#[derive(Debug)]
pub struct New {
    /// Name.
    pub name: String,
    /// Version.
    pub version: String,
    /// What it is for.
    pub kind: PackageKind,
    /// Models that it is for, as a glob.
    pub model: Option<String>,
    /// Media type.
    pub content_type: String,
    /// SHA-256 that it has to have, in 64 lower-case hexadecimal digits.
    pub digest: Option<String>,
    /// Signature over it.
    pub signature: Option<Vec<u8>>,
    /// Length that was declared.
    pub length: Option<u64>,
    /// Who stores it.
    pub by: String,
}

/// Why a package was not stored.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// It is not what it has to be.
    #[error("{0}")]
    Wrong(String),
    /// It is larger than it may be.
    #[error("the package is larger than {0} octets (package.max_size)")]
    TooLarge(u64),
    /// There is one of this name and version.
    #[error(
        "there is a package {0:?} of version {1:?} already; packages do not change: give another version"
    )]
    Exists(String, String),
    /// Its octets have not come in time.
    #[error("the package was not complete: {0}")]
    Late(Lost),
    /// There are too many uploads.
    #[error("there are too many uploads at the moment (package.max_uploads); try again later")]
    Busy,
    /// The object store failed.
    #[error("the object store failed: {0}")]
    Objects(#[from] object_store::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Lost> for Refused {
    fn from(lost: Lost) -> Self {
        match lost {
            Lost::Broken(_) => Self::Wrong(format!("the package was not complete: {lost}")),
            Lost::Silent(_) | Lost::Slow(_) => Self::Late(lost),
        }
    }
}

/// What came.
struct Received {
    size: u64,
    digest: [u8; 32],
}

impl Packages {
    /// Stores a package, whose pieces are waited for with such patience. What is not complete, or not as it has to be, leaves nothing, as long as
    /// this runs to its end.
    ///
    /// # Errors
    /// [`Refused`]
    pub async fn store(
        &self,
        store: &dyn Store,
        new: New,
        body: Body,
        mut patience: Patience,
        now: Time,
    ) -> Result<Package, Refused> {
        let _turn = self.uploads.try_acquire().map_err(|_| Refused::Busy)?;
        if let Err(refused) = self.check_said(store, &new).await {
            hear_out(body, patience).await;
            return Err(refused);
        }
        let id = Uuid::now_v7();
        let mut upload = self.objects.put_multipart(&Self::place(id)).await?;
        let package = match self.receive(upload.as_mut(), body, &mut patience).await {
            Ok(received) => self.complete(id, new, &received, now),
            Err(refused) => Err(refused),
        };
        let package = match package {
            Ok(package) => package,
            Err(refused) => {
                if let Err(error) = upload.abort().await {
                    tracing::warn!(%error, "an upload could not be taken back; what there is of it goes when it is a day old");
                }
                return Err(refused);
            }
        };
        upload.complete().await?;
        match store.add_package(package.clone()).await {
            Ok(true) => Ok(package),
            Ok(false) => {
                self.forget(id).await;
                Err(Refused::Exists(package.name, package.version))
            }
            // It may be stored all the same; if not, its octets go when they are a day old.
            Err(error) => Err(error.into()),
        }
    }

    /// What can be refused before anything has come.
    async fn check_said(&self, store: &dyn Store, new: &New) -> Result<(), Refused> {
        if new.length.is_some_and(|length| length > self.max_size) {
            return Err(Refused::TooLarge(self.max_size));
        }
        self.check_signature_given(new)?;
        match store.package_named(&new.name, &new.version).await? {
            Some(_) => Err(Refused::Exists(new.name.clone(), new.version.clone())),
            None => Ok(()),
        }
    }

    fn check_signature_given(&self, new: &New) -> Result<(), Refused> {
        let wrong = |what: &str| Err(Refused::Wrong(what.to_owned()));
        match &new.signature {
            None if self.require_signature => {
                wrong("a signature by a trusted key is needed (package.require_signature)")
            }
            Some(_) if self.keys.is_empty() => {
                wrong("the signature cannot be verified: no key is trusted (package.trusted_keys)")
            }
            None | Some(_) => Ok(()),
        }
    }

    /// Writes what comes.
    async fn receive(
        &self,
        upload: &mut dyn MultipartUpload,
        mut body: Body,
        patience: &mut Patience,
    ) -> Result<Received, Refused> {
        let mut digest = Sha256::new();
        let mut size: u64 = 0;
        let mut piece = BytesMut::with_capacity(PIECE);
        while let Some(mut octets) = patience.next(&mut body).await? {
            size = size.saturating_add(octets.len() as u64);
            if size > self.max_size {
                return Err(Refused::TooLarge(self.max_size));
            }
            digest.update(&octets);
            while !octets.is_empty() {
                let room = PIECE - piece.len();
                let taken: Bytes = octets.split_to(room.min(octets.len()));
                piece.extend_from_slice(&taken);
                if piece.len() == PIECE {
                    let full = std::mem::replace(&mut piece, BytesMut::with_capacity(PIECE));
                    upload.put_part(full.freeze().into()).await?;
                }
            }
        }
        if size == 0 {
            return Err(Refused::Wrong("the package is empty".to_owned()));
        }
        if !piece.is_empty() {
            upload.put_part(piece.freeze().into()).await?;
        }
        Ok(Received { size, digest: digest.finalize().into() })
    }

    /// Holds what came against what was said of it.
    fn complete(&self, id: Uuid, new: New, received: &Received, now: Time) -> Result<Package, Refused> {
        let digest: String = received.digest.iter().map(|octet| format!("{octet:02x}")).collect();
        if let Some(expected) = new.digest.filter(|expected| *expected != digest) {
            return Err(Refused::Wrong(format!(
                "the SHA-256 of what came is {digest}, and has to be {expected}"
            )));
        }
        if let Some(length) = new.length.filter(|length| *length != received.size) {
            return Err(Refused::Wrong(format!("{} octets came of {length}", received.size)));
        }
        let signed_by = match &new.signature {
            None => None,
            Some(signature) => match self.keys.signer(&received.digest, signature) {
                Some(name) => Some(name.to_owned()),
                None => {
                    return Err(Refused::Wrong(
                        "the signature is not one of a trusted key over this package (package.trusted_keys)"
                            .to_owned(),
                    ));
                }
            },
        };
        Ok(Package {
            id,
            name: new.name,
            version: new.version,
            kind: new.kind,
            model: new.model,
            content_type: new.content_type,
            size: i64::try_from(received.size).unwrap_or(i64::MAX),
            digest,
            signature: new.signature,
            signed_by,
            created: now,
            created_by: new.by,
        })
    }
}

/// Reads what comes of a body, up to [`HEARD_OUT`].
async fn hear_out(mut body: Body, mut patience: Patience) {
    let mut octets = 0;
    while octets < HEARD_OUT
        && let Ok(Some(piece)) = patience.next(&mut body).await
    {
        octets += piece.len();
    }
}
