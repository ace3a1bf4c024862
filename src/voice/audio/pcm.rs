//! The growing list of samples: takes sound at any rate, mixes channels, resamples, and stops at the length limit.

use std::time::Duration;

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler};

use super::{AudioError, SAMPLE_RATE};

/// The list grows by a minute at a time: doubling would cost up to twice the memory of a long note.
const STEP: usize = 60 * SAMPLE_RATE as usize;

/// Frames the resampler takes at once.
const CHUNK: usize = 1024;

pub(super) struct Pcm {
    samples: Vec<f32>,
    most: usize,
    limit: Duration,
    resampling: Option<Resampling>,
}

struct Resampling {
    rate: u32,
    fft: Fft<f32>,
    /// Sound at the source's rate that doesn't fill a chunk yet.
    waiting: Vec<f32>,
    taken: u64,
    given: u64,
    /// Samples still to drop: the resampler starts with its own delay.
    delay: usize,
}

impl Pcm {
    pub(super) fn new(limit: Duration) -> Pcm {
        let most = (limit.as_secs_f64() * f64::from(SAMPLE_RATE)) as usize;
        Pcm {
            samples: Vec::new(),
            most,
            limit,
            resampling: None,
        }
    }

    pub(super) fn seconds(&self) -> f64 {
        self.samples.len() as f64 / f64::from(SAMPLE_RATE)
    }

    pub(super) fn into_samples(self) -> Vec<f32> {
        self.samples
    }

    /// Sound that is mono and at [`SAMPLE_RATE`] already.
    pub(super) fn push(&mut self, sound: &[f32]) -> Result<(), AudioError> {
        if self.samples.len() + sound.len() > self.most {
            return Err(AudioError::TooLong { limit: self.limit });
        }
        if self.samples.len() + sound.len() > self.samples.capacity() {
            self.samples.reserve_exact(STEP.max(sound.len()));
        }
        // A float file may hold anything, also NaN and infinity, which would spoil the whole spectrum.
        self.samples.extend(
            sound
                .iter()
                .map(|s| if s.is_finite() { s.clamp(-1.0, 1.0) } else { 0.0 }),
        );
        Ok(())
    }

    /// Interleaved sound with any number of channels, at any rate the caller has checked to be sane.
    pub(super) fn push_at(&mut self, rate: u32, channels: usize, sound: &[f32]) -> Result<(), AudioError> {
        let share = 1.0 / channels.max(1) as f32;
        let mono = sound
            .chunks_exact(channels.max(1))
            .map(|frame| frame.iter().sum::<f32>() * share);
        if rate == SAMPLE_RATE {
            return self.push(&mono.collect::<Vec<_>>());
        }
        if self.resampling.as_ref().is_some_and(|r| r.rate != rate) {
            self.finish()?;
        }
        let mut resampling = match self.resampling.take() {
            Some(resampling) => resampling,
            None => Resampling::new(rate)?,
        };
        resampling
            .waiting
            .extend(mono.map(|s| if s.is_finite() { s } else { 0.0 }));
        let result = resampling.run(self);
        self.resampling = Some(resampling);
        result
    }

    /// Brings out what the resampler still holds.
    pub(super) fn finish(&mut self) -> Result<(), AudioError> {
        match self.resampling.take() {
            Some(mut resampling) => resampling.drain(self),
            None => Ok(()),
        }
    }
}

impl Resampling {
    fn new(rate: u32) -> Result<Resampling, AudioError> {
        let odd_rate = |_| AudioError::Unsupported {
            what: format!("{rate} Hz"),
        };
        let fft =
            Fft::new(rate as usize, SAMPLE_RATE as usize, CHUNK, 1, FixedSync::Input).map_err(odd_rate)?;
        let delay = fft.output_delay();
        Ok(Resampling {
            rate,
            fft,
            waiting: Vec::new(),
            taken: 0,
            given: 0,
            delay,
        })
    }

    fn run(&mut self, pcm: &mut Pcm) -> Result<(), AudioError> {
        let mut from = 0;
        while self.waiting.len() - from >= self.fft.input_frames_next() {
            let frames = self.fft.input_frames_next();
            let chunk = &self.waiting[from..from + frames];
            from += frames;
            self.taken += frames as u64;
            let failed = |_| AudioError::Unsupported {
                what: format!("{} Hz", self.rate),
            };
            let input = InterleavedSlice::new(chunk, 1, frames).map_err(|_| failed(()))?;
            let output = self
                .fft
                .process(&input, None)
                .map_err(|_| failed(()))?
                .take_data();
            let late = self.delay.min(output.len());
            self.delay -= late;
            self.given += (output.len() - late) as u64;
            pcm.push(&output[late..])?;
        }
        self.waiting.drain(..from);
        Ok(())
    }

    /// Silence pushes the last real samples out; what exceeds the true length is cut off again.
    fn drain(&mut self, pcm: &mut Pcm) -> Result<(), AudioError> {
        let whole = self.taken + self.waiting.len() as u64;
        let due = whole * u64::from(SAMPLE_RATE) / u64::from(self.rate);
        let earlier = pcm.samples.len() as u64 - self.given;
        // The silence may pass the limit by a chunk where the sound itself doesn't.
        pcm.most = pcm.most.saturating_add(STEP);
        while self.given < due {
            let fill = self.fft.input_frames_next();
            self.waiting.resize(self.waiting.len().max(fill), 0.0);
            self.run(pcm)?;
        }
        pcm.most -= STEP;
        pcm.samples.truncate((earlier + due) as usize);
        if pcm.samples.len() > pcm.most {
            return Err(AudioError::TooLong { limit: pcm.limit });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tone of 440 Hz, one second, at `rate`, the same in every channel.
    fn tone(rate: u32, channels: usize) -> Vec<f32> {
        let wave = |i: u32| (std::f32::consts::TAU * 440.0 * i as f32 / rate as f32).sin() * 0.5;
        (0..rate)
            .flat_map(|i| std::iter::repeat_n(wave(i), channels))
            .collect()
    }

    #[test]
    fn a_second_stays_a_second_and_a_tone_stays_that_tone() {
        for (rate, channels) in [
            (8_000, 1),
            (16_000, 2),
            (22_050, 1),
            (44_100, 2),
            (48_000, 6),
            (44_101, 1),
        ] {
            let mut pcm = Pcm::new(Duration::from_secs(2));
            for part in tone(rate, channels).chunks(channels * 700) {
                pcm.push_at(rate, channels, part).unwrap();
            }
            pcm.finish().unwrap();
            let samples = pcm.into_samples();
            assert_eq!(samples.len(), 16_000, "{rate} Hz");
            let crossings = samples
                .windows(2)
                .filter(|pair| pair[0] < 0.0 && pair[1] >= 0.0)
                .count();
            assert!((435..=445).contains(&crossings), "{rate} Hz: {crossings} periods");
            let rms = (samples.iter().map(|s| s * s).sum::<f32>() / samples.len() as f32).sqrt();
            assert!((0.33..0.37).contains(&rms), "{rate} Hz: rms {rms}");
        }
    }

    #[test]
    fn sound_past_the_limit_is_refused_at_any_rate() {
        for rate in [8_000, 16_000, 48_000] {
            let mut pcm = Pcm::new(Duration::from_millis(900));
            let result = pcm.push_at(rate, 1, &tone(rate, 1)).and_then(|()| pcm.finish());
            assert_eq!(
                result,
                Err(AudioError::TooLong {
                    limit: Duration::from_millis(900)
                }),
                "{rate} Hz"
            );
        }
    }
}
