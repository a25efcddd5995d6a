//! The generated definitions: equal to the checked-in files, bounded, described.

use super::*;

#[test]
fn print_it() {
    println!("{}", yaml_of(Kind::LLMGateway));
}
