//! One row a measurement, the same columns in every bench: what, the figure, its bar, their ratio, and what stands
//! beside it in the same run.

/// Prints `what | measured | bar | ratio | beside`.
pub fn row(what: &str, measured: &str, bar: &str, ratio: &str, beside: &str) {
    println!("{what:<44} | {measured:>14} | {bar:>16} | {ratio:>8} | {beside}");
}

pub fn head() {
    row("what", "measured", "bar", "ratio", "beside");
}
