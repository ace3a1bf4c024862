//! A code to scan, drawn: for a page as SVG, for a terminal in half blocks. Dark on light in both, because a phone does
//! not read it the other way round.

use qrcode::render::{svg, unicode};
use qrcode::types::QrError;
use qrcode::{EcLevel, QrCode};

pub fn as_svg(text: &str) -> Result<String, QrError> {
    let code = QrCode::with_error_correction_level(text, EcLevel::M)?;
    Ok(code
        .render::<svg::Color<'_>>()
        .min_dimensions(256, 256)
        .quiet_zone(true)
        .dark_color(svg::Color("#000000"))
        .light_color(svg::Color("#ffffff"))
        .build())
}

pub fn as_half_blocks(text: &str) -> Result<String, QrError> {
    let code = QrCode::with_error_correction_level(text, EcLevel::L)?;
    Ok(code
        .render::<unicode::Dense1x2>()
        .quiet_zone(true)
        .dark_color(unicode::Dense1x2::Light)
        .light_color(unicode::Dense1x2::Dark)
        .build())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As long as a real one.
    fn text() -> String {
        format!(
            "2@{},{},{},{},1",
            "r".repeat(16),
            "n".repeat(44),
            "i".repeat(44),
            "s".repeat(40)
        )
    }

    #[test]
    fn a_page_gets_a_picture_with_a_quiet_zone() {
        let svg = as_svg(&text()).unwrap();
        assert!(svg.contains("<svg") && svg.contains("#ffffff") && svg.contains("#000000"));
        assert!(!svg.contains("2@"), "the text itself is not in it");
    }

    #[test]
    fn a_terminal_gets_lines_of_the_same_width() {
        let drawn = as_half_blocks(&text()).unwrap();
        let widths: Vec<usize> = drawn.lines().map(|line| line.chars().count()).collect();
        assert!(
            widths.len() > 20 && widths.iter().all(|width| *width == widths[0]),
            "{widths:?}"
        );
    }
}
