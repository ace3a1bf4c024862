//! The double of Qontak, which stands beside its own tests.

#![allow(dead_code)]

use super::loopback;

#[path = "../qontak/double.rs"]
pub mod double;
#[path = "../qontak/refuse.rs"]
mod refuse;
#[path = "../qontak/serve.rs"]
mod serve;
#[path = "../qontak/signed.rs"]
mod signed;
