#[path = "../../../tests/bench/src/figure.rs"]
mod figure;
#[path = "../../../tests/bench/src/seal/mod.rs"]
mod seal;
fn main() { let a = std::env::args().nth(1).unwrap_or_default(); seal::profile(&a); }
