//! What libraries say does not become a line of the log, for it may name a client's address.

use std::io::{Result, Write};
use std::sync::{Arc, Mutex};

use privet_relay::config::{Log, LogFormat};
use privet_relay::lines;
use tracing::dispatcher::with_default;
use tracing_subscriber::EnvFilter;

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

fn written(log: &Log) -> String {
    let written = Written::default();
    let writer = written.clone();
    let dispatch = lines::to(log, EnvFilter::new("trace"), move || writer.clone(), false);
    with_default(&dispatch, || {
        // As quinn-udp words it.
        tracing::warn!(target: "quinn_udp", "sendmsg error: EPERM, Transmit: {{ destination: 192.0.2.7:4433 }}");
        tracing::warn!(target: "privet_push::http", "a line of ours");
    });
    let bytes = written.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_library_names_no_address_unless_addresses_are_wanted() {
    for format in [LogFormat::Text, LogFormat::Json] {
        let silent = written(&Log { format, ..Log::default() });
        assert!(silent.contains("a line of ours") && !silent.contains("192.0.2.7"), "{silent}");
        let all = written(&Log { format, addresses: true, ..Log::default() });
        assert!(all.contains("a line of ours") && all.contains("192.0.2.7"), "{all}");
    }
}
