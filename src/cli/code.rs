//! A QR code on the screen or in a file. Whoever reads it is let into the account, so it goes to a terminal or to a file of
//! one user, is drawn over when a new one comes, and is gone at the end.

use std::io::{IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use qrcode::render::{svg, unicode::Dense1x2};
use qrcode::{EcLevel, QrCode};

use super::Exit;

/// Where codes are shown.
pub(super) enum Screen {
    Terminal {
        /// Lines of the code that stands there.
        lines: usize,
    },
    File(PathBuf),
}

impl Screen {
    pub(super) fn open(svg: Option<&Path>) -> anyhow::Result<Screen> {
        match svg {
            Some(path) => Ok(Screen::File(path.to_owned())),
            None if std::io::stdout().is_terminal() => Ok(Screen::Terminal { lines: 0 }),
            None => Err(Exit::Usage.because(
                "the code lets whoever reads it into the account, so it is shown in a terminal only; run this in one, or \
                 write --svg FILE",
            )),
        }
    }

    /// Shows a code in the place of the one before.
    pub(super) fn show(&mut self, code: &str) -> anyhow::Result<()> {
        match self {
            Screen::Terminal { lines } => {
                let drawn = half_blocks(code)?;
                let mut out = std::io::stdout().lock();
                out.write_all(over(*lines, &drawn).as_bytes())?;
                out.flush()?;
                *lines = drawn.lines().count();
                Ok(())
            }
            Screen::File(path) => {
                write_private(path, &vector(code)?)?;
                eprintln!(
                    "a code is in {}; open it and scan it with the phone",
                    path.display()
                );
                Ok(())
            }
        }
    }

    /// Takes the code away.
    pub(super) fn clear(&mut self) {
        match self {
            Screen::Terminal { lines } => {
                print!("{}", over(*lines, ""));
                *lines = 0;
            }
            // One that was never written is no matter.
            Screen::File(path) => drop(std::fs::remove_file(path)),
        }
    }
}

/// What draws `text` over so many lines.
fn over(lines: usize, text: &str) -> String {
    match lines {
        0 => text.to_owned(),
        lines => format!("\x1b[{lines}A\x1b[J{text}"),
    }
}

fn read(code: &str) -> anyhow::Result<QrCode> {
    QrCode::with_error_correction_level(code, EcLevel::M).context("the server's code can't be drawn")
}

/// Two modules a character, dark on light whatever the terminal's colours are.
fn half_blocks(code: &str) -> anyhow::Result<String> {
    let drawn = read(code)?
        .render::<Dense1x2>()
        .dark_color(Dense1x2::Light)
        .light_color(Dense1x2::Dark)
        .quiet_zone(true)
        .build();
    Ok(format!("{drawn}\n"))
}

fn vector(code: &str) -> anyhow::Result<String> {
    Ok(read(code)?
        .render::<svg::Color<'_>>()
        .min_dimensions(256, 256)
        .dark_color(svg::Color("#000000"))
        .light_color(svg::Color("#ffffff"))
        .quiet_zone(true)
        .build())
}

/// A file that nobody else can read, whatever stood there.
fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    let refused = || format!("{} can't be written", path.display());
    match std::fs::remove_file(path) {
        Err(why) if why.kind() != std::io::ErrorKind::NotFound => return Err(why).with_context(refused),
        Ok(()) | Err(_) => {}
    }
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .with_context(refused)?;
    file.write_all(text.as_bytes()).with_context(refused)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// As long as those of WhatsApp.
    const CODE: &str = "2@AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA,BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB=,CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC=,1";

    #[test]
    fn a_code_is_drawn_with_half_blocks_and_room_around_it() {
        let drawn = half_blocks(CODE).unwrap();
        let lines: Vec<&str> = drawn.lines().collect();
        let width = lines[0].chars().count();
        assert!(lines.iter().all(|line| line.chars().count() == width));
        // Two modules in each line, and the rest of an odd one.
        assert_eq!(lines.len(), width.div_ceil(2));
        assert!(width <= 80, "it fits a terminal: {width}");
        assert!(
            drawn.chars().all(|c| matches!(c, ' ' | '█' | '▀' | '▄' | '\n')),
            "{drawn}"
        );
        assert!(
            lines[0].chars().all(|c| c == '█'),
            "light around it, on a dark terminal"
        );
    }

    #[test]
    fn the_next_code_stands_where_the_one_before_stood() {
        assert_eq!(over(0, "new\n"), "new\n");
        assert_eq!(over(25, "new\n"), "\x1b[25A\x1b[Jnew\n");
    }

    #[test]
    fn a_file_with_a_code_is_for_one_user_whatever_stood_there_and_is_gone_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("code.svg");
        std::fs::write(&path, "old").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let mut screen = Screen::File(path.clone());
        screen.show(CODE).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let svg = std::fs::read_to_string(&path).unwrap();
        assert!(svg.contains("<svg") && svg.contains("#ffffff"), "{svg}");
        assert!(!svg.contains("AAAA"), "not as words");
        screen.clear();
        assert!(!path.exists());
    }
}
