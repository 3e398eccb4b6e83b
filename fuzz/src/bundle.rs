//! Bundles of policies, before anybody has looked at their signature.

use std::path::Component;
use std::path::Path;

use cedargate::config::Algorithm;
use cedargate::config::LocalKey;
use cedargate::config::LocalMaterial;
use cedargate::identity::key_set::KeySet;
use cedargate::policy::bundle::MANIFEST_FILE;
use cedargate::policy::bundle::MAX_BYTES;
use cedargate::policy::bundle::MAX_FILES;
use cedargate::policy::bundle::Manifest;
use cedargate::policy::bundle::UnverifiedBundle;
use cedargate::policy::bundle::archive;

/// A key that has signed nothing.
const STRANGER: &str = "-----BEGIN PUBLIC KEY-----\n\
    MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEitfo3j5bZgHTyuxyImn7GS5xYp4R\n\
    0MedOQ9OQF3u/gDh2UcXt4YPXUQP/u4M4ifCC/TZj+bV0K9MBvsGuTo0mA==\n\
    -----END PUBLIC KEY-----\n";

/// The bytes are a tarball, compressed or not.
pub fn run(data: &[u8]) -> bool {
    let read = archive::unpack(data);
    assert_eq!(read, archive::unpack(data), "two readings");
    let bundle = match read {
        Ok(bundle) => bundle,
        Err(fault) => {
            let shown = fault.to_string();
            assert!(!shown.chars().any(char::is_control), "{shown:?}");
            return false;
        }
    };
    bounded(&bundle);
    let packed = archive::pack(&bundle).expect("writing to memory");
    assert_eq!(archive::unpack(&packed).as_ref(), Ok(&bundle), "packed");
    if let Some(manifest) = bundle.files().get(MANIFEST_FILE) {
        listed(manifest);
    }
    let key = LocalKey {
        material: LocalMaterial::Pem(STRANGER.into()),
        algorithm: Algorithm::Es256,
        kid: None,
    };
    let keys = KeySet::from_local(&[key]).expect("a key");
    assert!(bundle.verify(&keys).is_err(), "signed by nobody");
    true
}

/// No name leads elsewhere, and nothing is larger than is said.
fn bounded(bundle: &UnverifiedBundle) {
    assert!(bundle.files().len() <= MAX_FILES, "too many files");
    let total: usize = bundle.files().values().map(Vec::len).sum();
    assert!(total <= MAX_BYTES, "too large");
    for name in bundle.files().keys() {
        let mut parts = Path::new(name).components();
        let plain = parts.all(|part| matches!(part, Component::Normal(_)));
        assert!(plain && name.is_ascii(), "`{name}` leads elsewhere");
    }
}

/// What is read of a manifest is what would be written of it.
fn listed(bytes: &[u8]) {
    if let Ok(manifest) = Manifest::parse(bytes) {
        let written = manifest.to_bytes().expect("writing to memory");
        let again = Manifest::parse(&written).expect("its own manifest");
        assert_eq!(again.revision, manifest.revision, "written");
        assert_eq!(again.files, manifest.files, "written");
    }
}
