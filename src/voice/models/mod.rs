//! The speech models: which there are, and how one gets onto this machine ([`fetch`]).
//!
//! Sizes and SHA-256 are those of the files in the public repository of whisper.cpp on Hugging Face
//! (`ggerganov/whisper.cpp`), where they stand as the ids of its large files.

mod fetch;

pub use fetch::{FetchError, Fetched, Source, fetch};

/// Where the files are at home; the file's name follows.
pub const PUBLIC_HOME: &str = "https://huggingface.co/ggerganov/whisper.cpp/resolve/main/";

/// One GGML file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Model {
    /// What people type: "tiny".
    pub name: &'static str,
    pub file: &'static str,
    pub bytes: u64,
    /// In hexadecimal.
    pub sha256: &'static str,
    /// False: English only.
    pub multilingual: bool,
    /// What to choose it for.
    pub about: &'static str,
}

/// From the fastest to the most careful.
pub const MODELS: [Model; 4] = [
    Model {
        name: "tiny",
        file: "ggml-tiny.bin",
        bytes: 77_691_713,
        sha256: "be07e048e1e599ad46341c8d2a135645097a538221678b7acdd1b1919c6e1b21",
        multilingual: true,
        about: "fastest; enough for short, clear notes",
    },
    Model {
        name: "tiny.en",
        file: "ggml-tiny.en.bin",
        bytes: 77_704_715,
        sha256: "921e4cf8686fdd993dcd081a5da5b6c365bfde1162e72b08d75ac75289920b1f",
        multilingual: false,
        about: "as fast as tiny and better, for English only",
    },
    Model {
        name: "base",
        file: "ggml-base.bin",
        bytes: 147_951_465,
        sha256: "60ed5bc3dd14eea856493d334349b405782ddcaf0028d4b5df4088345fba2efe",
        multilingual: true,
        about: "twice the time of tiny, noticeably better",
    },
    Model {
        name: "small",
        file: "ggml-small.bin",
        bytes: 487_601_967,
        sha256: "1be3a9b2063867b937e64e2ec7483364a79917e157fa98c5d94b5c1fffea987b",
        multilingual: true,
        about: "the most careful and the slowest; for noisy notes and small languages",
    },
];

/// The model of this name.
pub fn named(name: &str) -> Option<&'static Model> {
    MODELS.iter().find(|model| model.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_model_has_a_whole_checksum_and_the_name_whisper_cpp_gives_it() {
        for model in &MODELS {
            assert_eq!(model.sha256.len(), 64, "{}", model.name);
            assert!(
                model
                    .sha256
                    .bytes()
                    .all(|c| c.is_ascii_digit() || (b'a'..=b'f').contains(&c)),
                "{}",
                model.name
            );
            assert_eq!(model.file, format!("ggml-{}.bin", model.name));
            assert_eq!(model.multilingual, !model.name.ends_with(".en"));
            assert_eq!(named(model.name), Some(model));
        }
        assert_eq!(named("huge"), None);
    }
}
