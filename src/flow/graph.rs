use super::program::Program;
pub fn mermaid(_: &Program, _: Option<&str>) -> String { String::new() }
pub fn dot(_: &Program, _: Option<&str>) -> String { String::new() }
pub fn json(_: &Program, _: Option<&str>) -> String { String::new() }
