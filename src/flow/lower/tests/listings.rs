//! What becomes of each kind of line.

use super::{flow, lowered, shop};
use crate::flow::listing::listing;

#[test]
fn the_sample_business_becomes_a_flat_machine() {
    insta::assert_snapshot!(listing(&shop()));
}
