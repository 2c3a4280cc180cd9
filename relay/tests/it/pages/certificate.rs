//! Certificates with dates.

use std::path::Path;

use privet_relay::config::CertificateFiles;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};

/// A certificate in `folder` that is good from 1975 until the end of a year.
pub fn certificate(folder: &Path, last_year: i32) -> CertificateFiles {
    let mut params = CertificateParams::new(vec!["relay.example".into()]).unwrap();
    params.not_after = date_time_ymd(last_year, 12, 31);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let files = CertificateFiles { chain: folder.join("chain.pem"), key: folder.join("key.pem") };
    std::fs::write(&files.chain, certificate.pem()).unwrap();
    std::fs::write(&files.key, key.serialize_pem()).unwrap();
    files
}
