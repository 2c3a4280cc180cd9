//! `cargo run -p privet-uniffi --bin uniffi-bindgen -- generate LIBRARY --language python --out-dir DIR`

fn main() {
    uniffi::uniffi_bindgen_main();
}
