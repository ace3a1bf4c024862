//! Whisper on this machine, through whisper.cpp: one model in memory, a few places to run it.
//!
//! Whisper looks at 30 s of sound whatever the note's length. A note that fits one look is heard with the look cut
//! to its length, which is most of the saving ([`look`]).

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use whisper_rs::{
    FullParams, SamplingStrategy, WhisperContext, WhisperContextParameters, WhisperError, WhisperState,
};

use super::audio::{self, Sound};
use super::words::{repeats, spoken};
use super::{Settings, Transcriber, Transcript, Unavailable, VoiceError, cores};

/// The first bytes of a GGML file: 0x67676d6c, little-endian.
const MAGIC: [u8; 4] = *b"lmgg";

/// Encoder frames a second.
const FRAMES: f64 = 50.0;

/// Frames of a whole look: 30 s.
const WHOLE_LOOK: i32 = 1500;

/// Below this the model, which never saw so short a look in training, starts to repeat itself: with 256 frames it
/// hears "Track my order" three times in a note that says it once.
const SHORTEST_LOOK: i32 = 448;

/// The look must end in silence, or the last word is lost: 512 frames (10.24 s) lost the end of a 10.6 s note. Two
/// and a half seconds also keep tiny from stumbling over spoken digits, which one second doesn't.
const SILENT_FRAMES: f64 = 128.0;

/// Most tokens for a note: some, and so many a second. English takes about 4 a second, scripts that the model
/// spells byte by byte three times that. A model that is stuck would otherwise go on for 220.
const TOKENS: (f64, f64) = (24.0, 15.0);

/// Shorter sound holds no word, and whisper.cpp refuses less than a tenth of a second.
const SHORTEST_NOTE: f64 = 0.2;

pub(super) struct Whisper {
    settings: Settings,
    context: WhisperContext,
    places: Mutex<Places>,
    freed: Condvar,
}

#[derive(Default)]
struct Places {
    free: Vec<Place>,
    made: usize,
}

/// What one running note needs. Kept between notes: its buffers are large, and whisper-rs never gives back the
/// memory of a callback or a language once set in the parameters.
struct Place {
    state: WhisperState,
    params: FullParams<'static, 'static>,
    language: Option<&'static str>,
    stop: Stop,
}

impl Whisper {
    pub(super) fn load(settings: Settings) -> Result<Whisper, Unavailable> {
        whisper_rs::install_logging_hooks();
        let path = settings.model.clone();
        let mut start = [0; 4];
        match File::open(&path).and_then(|mut file| file.read_exact(&mut start)) {
            Ok(()) if start == MAGIC => {}
            Ok(()) => return Err(Unavailable::NotAModel { path }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(Unavailable::NoModel { path });
            }
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                return Err(Unavailable::NotAModel { path });
            }
            Err(error) => {
                return Err(Unavailable::NotLoaded {
                    path,
                    why: error.to_string(),
                });
            }
        }
        let not_loaded = |why: String| Unavailable::NotLoaded {
            path: path.clone(),
            why,
        };
        let name = path
            .to_str()
            .ok_or_else(|| not_loaded("its path is not UTF-8".into()))?;
        let context = WhisperContext::new_with_params(name, WhisperContextParameters::default())
            .map_err(|error| not_loaded(format!("{error} Fetch it again if it is damaged")))?;
        if !context.is_multilingual() && settings.language.as_deref().is_some_and(|l| !l.starts_with("en")) {
            return Err(not_loaded(format!(
                "it knows English only, and the language is set to {:?}",
                settings.language.as_deref().unwrap_or_default()
            )));
        }
        let parallel = settings.parallel.max(1);
        let threads = settings.threads.min(cores() / parallel).max(1);
        let settings = Settings {
            parallel,
            threads,
            ..settings
        };
        let whisper = Whisper {
            settings,
            context,
            places: Mutex::default(),
            freed: Condvar::new(),
        };
        tracing::info!(model = %path.display(), parallel, threads, "speech model loaded");
        Ok(whisper)
    }

    fn lock(&self) -> MutexGuard<'_, Places> {
        // A list of free places is whole whatever panicked while it was held.
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a free place; makes one if there are fewer than allowed.
    fn take_place(&self) -> Result<Held<'_>, VoiceError> {
        let mut places = self.lock();
        loop {
            if let Some(place) = places.free.pop() {
                return Ok(Held {
                    whisper: self,
                    place: Some(place),
                });
            }
            if places.made < self.settings.parallel {
                places.made += 1;
                drop(places);
                return match Place::new(&self.context, self.settings.threads) {
                    Ok(place) => Ok(Held {
                        whisper: self,
                        place: Some(place),
                    }),
                    Err(error) => {
                        self.lock().made -= 1;
                        self.freed.notify_one();
                        Err(VoiceError::Failed {
                            why: error.to_string(),
                        })
                    }
                };
            }
            places = self.freed.wait(places).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The language to listen for: the setting, else the hint, else none (the model finds out).
    fn language(&self, hint: Option<&str>) -> Option<&'static str> {
        if !self.context.is_multilingual() {
            return Some("en");
        }
        self.settings
            .language
            .as_deref()
            .or(hint)
            .and_then(known_language)
    }
}

impl Transcriber for Whisper {
    fn transcribe(&self, note: &[u8], language: Option<&str>) -> Result<Transcript, VoiceError> {
        let started = Instant::now();
        let sound = audio::decode(note, &self.settings.limits)?;
        let decoding = started.elapsed();
        let seconds = sound.seconds();
        if seconds < SHORTEST_NOTE || sound.is_silent() {
            return Err(VoiceError::Silence { seconds });
        }
        let mut held = self.take_place()?;
        let started = Instant::now();
        let limit = Duration::from_secs_f64(seconds * self.settings.slowest) + self.settings.grace;
        let (text, language) = held.place()?.hear(&sound, self.language(language), limit)?;
        if text.is_empty() {
            return Err(VoiceError::Silence { seconds });
        }
        let took = decoding + started.elapsed();
        tracing::debug!(seconds, took = took.as_secs_f64(), language, "voice note heard");
        let (kind, cut_short) = (sound.kind, sound.cut_short);
        Ok(Transcript {
            text,
            language: language.to_owned(),
            seconds,
            took,
            kind,
            cut_short,
        })
    }
}

impl fmt::Debug for Whisper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Whisper")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// A place in use; it goes back to the pool however the note ends.
struct Held<'a> {
    whisper: &'a Whisper,
    place: Option<Place>,
}

impl Held<'_> {
    fn place(&mut self) -> Result<&mut Place, VoiceError> {
        self.place.as_mut().ok_or_else(|| VoiceError::Failed {
            why: "its place in the pool is gone".into(),
        })
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.whisper.lock().free.extend(self.place.take());
        self.whisper.freed.notify_one();
    }
}

impl Place {
    fn new(context: &WhisperContext, threads: usize) -> Result<Place, WhisperError> {
        let stop = Stop::default();
        let mut params = FullParams::new(SamplingStrategy::Greedy { best_of: 1 });
        params.set_n_threads(i32::try_from(threads).unwrap_or(1));
        params.set_print_special(false);
        params.set_print_progress(false);
        params.set_print_realtime(false);
        params.set_print_timestamps(false);
        // What was heard in one window must not steer the next: that is how whisper falls into loops.
        params.set_no_context(true);
        // No second tries with dice: the same note gives the same words, in the same time. A model that repeats
        // itself is listened to once more instead (`hear`).
        params.set_temperature_inc(0.0);
        let watch = stop.clone();
        // It must be a boxed closure: whisper-rs 0.16 boxes what it is given once more but calls it back as the
        // type it was given, so a bare closure would be read from the wrong memory.
        let over: Box<dyn FnMut() -> bool> = Box::new(move || watch.is_over());
        params.set_abort_callback_safe::<_, Box<dyn FnMut() -> bool>>(over);
        Ok(Place {
            state: context.create_state()?,
            params,
            language: Some("en"),
            stop,
        })
    }

    fn hear(
        &mut self,
        sound: &Sound,
        language: Option<&'static str>,
        limit: Duration,
    ) -> Result<(String, &'static str), VoiceError> {
        if self.language != language {
            self.params.set_language(language);
            self.language = language;
        }
        self.stop.at(limit);
        let look = look(sound.seconds());
        let mut text = self.look_at(sound, look, limit)?;
        if look < WHOLE_LOOK && repeats(&text) {
            tracing::debug!(
                look,
                "the model repeats itself; listening again with a whole look"
            );
            text = self.look_at(sound, WHOLE_LOOK, limit)?;
        }
        let heard = language.or_else(|| whisper_rs::get_lang_str(self.state.full_lang_id_from_state()));
        Ok((text, heard.unwrap_or("en")))
    }

    fn look_at(&mut self, sound: &Sound, look: i32, limit: Duration) -> Result<String, VoiceError> {
        let mut params = self.params.clone();
        let one_look = sound.seconds() * FRAMES + SILENT_FRAMES <= f64::from(WHOLE_LOOK);
        params.set_audio_ctx(look);
        // A longer note moves from look to look by the time stamps in the text, so as not to cut a word.
        params.set_no_timestamps(one_look);
        params.set_single_segment(one_look);
        if one_look {
            params.set_max_tokens((TOKENS.0 + TOKENS.1 * sound.seconds()) as i32);
        }
        if let Err(error) = self.state.full(params, &sound.samples) {
            return Err(match self.stop.is_over() {
                true => VoiceError::TooSlow {
                    seconds: sound.seconds(),
                    limit,
                },
                false => VoiceError::Failed {
                    why: error.to_string(),
                },
            });
        }
        Ok(spoken(self.state.as_iter().filter_map(|segment| {
            segment.to_str_lossy().ok().map(|s| s.into_owned())
        })))
    }
}

/// Encoder frames for a note: its length and some silence, in steps of 64 (odd sizes are slower), or a whole look.
fn look(seconds: f64) -> i32 {
    let frames = (seconds * FRAMES + SILENT_FRAMES) / 64.0;
    ((frames.ceil() as i32).saturating_mul(64)).clamp(SHORTEST_LOOK, WHOLE_LOOK)
}

/// "pt-BR" and "PT" to "pt"; `None` for what Whisper doesn't know.
fn known_language(code: &str) -> Option<&'static str> {
    let primary = code.split(['-', '_']).next()?.to_ascii_lowercase();
    // Not by get_lang_id, which logs an error for every code it doesn't know.
    (0..=whisper_rs::get_lang_max_id())
        .filter_map(whisper_rs::get_lang_str)
        .find(|known| *known == primary)
}

/// The moment to stop, shared with the callback that whisper.cpp asks after every step. Between two asks lies at
/// most one pass of the encoder: half a second with tiny, some seconds with small.
#[derive(Clone)]
struct Stop {
    base: Instant,
    /// Microseconds after `base`.
    due: Arc<AtomicU64>,
}

impl Default for Stop {
    fn default() -> Stop {
        Stop {
            base: Instant::now(),
            due: Arc::new(AtomicU64::new(u64::MAX)),
        }
    }
}

impl Stop {
    fn at(&self, limit: Duration) {
        let due = (self.base.elapsed() + limit).as_micros();
        self.due
            .store(u64::try_from(due).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    fn is_over(&self) -> bool {
        self.base.elapsed().as_micros() > u128::from(self.due.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_look_covers_the_note_and_some_silence() {
        assert_eq!(look(0.3), SHORTEST_LOOK);
        for seconds in [6.4, 10.6, 20.0, 27.0] {
            let frames = look(seconds);
            assert!(
                f64::from(frames) >= seconds * FRAMES + SILENT_FRAMES,
                "{seconds} s: {frames}"
            );
            assert!(
                f64::from(frames) < seconds * FRAMES + SILENT_FRAMES + 64.0,
                "{seconds} s: {frames}"
            );
        }
        assert_eq!(look(29.5), WHOLE_LOOK);
        assert_eq!(look(600.0), WHOLE_LOOK);
    }

    #[test]
    fn languages_are_known_by_their_first_part() {
        assert_eq!(known_language("pt-BR"), Some("pt"));
        assert_eq!(known_language("ID"), Some("id"));
        assert_eq!(known_language("tlh"), None);
    }

    #[test]
    fn the_stop_is_over_only_after_its_limit() {
        let stop = Stop::default();
        assert!(!stop.is_over());
        stop.at(Duration::from_secs(3600));
        assert!(!stop.is_over());
        stop.at(Duration::ZERO);
        while stop.base.elapsed() < Duration::from_millis(2) {
            std::hint::spin_loop();
        }
        assert!(stop.is_over());
    }
}
