#[path = "../../../tests/bench/src/figure.rs"]
mod figure;
#[path = "../../../tests/bench/src/seal/mod.rs"]
mod seal;
fn main() {
    println!("{}", figure::Figure::heading());
    for figure in seal::run() {
        println!("{}", figure.row());
    }
}
