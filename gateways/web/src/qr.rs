//! QR codes as SVG.

use qrcode::QrCode;
use qrcode::types::Color;

/// Longest text drawn, in bytes: beyond that no phone reads it from a screen.
const TEXT_BYTES_MAX: usize = 800;
/// Empty modules around the code (ISO/IEC 18004 §6.3.8).
const QUIET: usize = 4;

/// A QR code as an SVG element; empty when the text is too long. Always dark on light, which cameras need.
pub(crate) fn svg(text: &str, label: &str) -> String {
    let Some(code) = (text.len() <= TEXT_BYTES_MAX).then(|| QrCode::new(text.as_bytes()).ok()).flatten()
    else {
        return String::new();
    };
    let width = code.width();
    let mut path = String::new();
    for (at, module) in code.to_colors().into_iter().enumerate() {
        if module == Color::Dark {
            path.push_str(&format!("M{} {}h1v1h-1z", at % width + QUIET, at / width + QUIET));
        }
    }
    let side = width + 2 * QUIET;
    let label: String = label.chars().filter(|c| !matches!(c, '<' | '>' | '&' | '"')).collect();
    format!(
        "<svg class=\"qr\" viewBox=\"0 0 {side} {side}\" width=\"200\" height=\"200\" role=\"img\" aria-label=\"{label}\" \
         shape-rendering=\"crispEdges\"><rect width=\"{side}\" height=\"{side}\" fill=\"#fff\"/><path fill=\"#000\" d=\"{path}\"/></svg>"
    )
}
