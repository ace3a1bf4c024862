//! Series whose labels are known beforehand: each is there from the start, at zero, and counting costs one addition
//! and no look-up.

use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Label, Level, Metadata, Recorder, Unit};
use metrics_exporter_prometheus::PrometheusRecorder;

/// Values of one label.
pub(in crate::server) trait Values: Copy + Into<usize> + 'static {
    /// The name of the label.
    const LABEL: &'static str;
    /// As they stand on the page, in the order of the enum.
    const WORDS: &'static [&'static str];
}

/// An enum whose variants are the values of a label.
macro_rules! label {
    ($(#[$doc:meta])* $name:ident as $label:literal { $($(#[$of:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(in crate::server) enum $name { $($(#[$of])* $variant),+ }

        impl From<$name> for usize {
            fn from(value: $name) -> usize {
                value as usize
            }
        }

        impl $name {
            /// As it stands on the page.
            #[allow(dead_code)] // Not every label is asked for its word.
            pub fn word(self) -> &'static str {
                <Self as $crate::server::watch::metrics::Values>::WORDS[self as usize]
            }
        }

        impl $crate::server::watch::metrics::Values for $name {
            const LABEL: &'static str = $label;
            const WORDS: &'static [&'static str] = &[$($word),+];
        }
    };
}
pub(in crate::server) use label;

/// One series for each value of a label.
#[derive(Debug)]
pub(in crate::server) struct Family<L, S> {
    series: Vec<S>,
    label: std::marker::PhantomData<L>,
}

impl<L: Values, S> Family<L, S> {
    fn new(series: impl Fn(&'static str) -> S) -> Family<L, S> {
        Family {
            series: L::WORDS.iter().map(|word| series(word)).collect(),
            label: std::marker::PhantomData,
        }
    }

    pub fn of(&self, value: L) -> &S {
        // Made from all values of the enum.
        &self.series[value.into()]
    }
}

/// Makes series.
#[derive(Debug, Clone, Copy)]
pub(super) struct Maker<'a>(pub &'a PrometheusRecorder);

const META: Metadata<'static> = Metadata::new("switchboard", Level::INFO, None);

impl Maker<'_> {
    pub fn counter(self, name: &'static str, labels: &[(&'static str, &str)]) -> Counter {
        self.0.register_counter(&key(name, labels), &META)
    }

    pub fn gauge(self, name: &'static str, labels: &[(&'static str, &str)]) -> Gauge {
        self.0.register_gauge(&key(name, labels), &META)
    }

    pub fn histogram(self, name: &'static str, labels: &[(&'static str, &str)]) -> Histogram {
        self.0.register_histogram(&key(name, labels), &META)
    }

    pub fn counters<L: Values>(
        self,
        name: &'static str,
        labels: &[(&'static str, &str)],
    ) -> Family<L, Counter> {
        Family::new(|word| self.counter(name, &with::<L>(labels, word)))
    }

    pub fn gauges<L: Values>(self, name: &'static str) -> Family<L, Gauge> {
        Family::new(|word| self.gauge(name, &with::<L>(&[], word)))
    }

    pub fn histograms<L: Values>(
        self,
        name: &'static str,
        labels: &[(&'static str, &str)],
    ) -> Family<L, Histogram> {
        Family::new(|word| self.histogram(name, &with::<L>(labels, word)))
    }

    /// The `# HELP` line of a name, whatever kind it is of.
    pub fn explain(self, name: &'static str, unit: Option<Unit>, help: &'static str) {
        self.0
            .describe_gauge(KeyName::from_const_str(name), unit, help.into());
    }
}

fn with<'a, L: Values>(labels: &[(&'static str, &'a str)], word: &'a str) -> Vec<(&'static str, &'a str)> {
    let mut all = labels.to_vec();
    all.push((L::LABEL, word));
    all
}

fn key(name: &'static str, labels: &[(&'static str, &str)]) -> Key {
    let labels: Vec<Label> = labels
        .iter()
        .map(|(label, value)| Label::new(*label, (*value).to_owned()))
        .collect();
    Key::from_parts(name, labels)
}

/// Seconds, as every histogram here counts.
pub(in crate::server) fn observe(histogram: &Histogram, took: Duration) {
    histogram.record(took.as_secs_f64());
}
