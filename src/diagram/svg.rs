//! A picture that any browser shows: services above with arrows to those that they talk to, hosts below.

use std::fmt::Write as _;

use super::{Diagram, Host};
use crate::xml::escaped;

/// Sizes in pixels.
const WIDE: usize = 190;
const GAP: usize = 24;
const LINE: usize = 20;
const TOP: usize = 60;
/// Hosts beside each other.
const ROW: usize = 5;
/// One for each service, again from the first where there are more: told apart without red and green.
const COLOURS: [&str; 6] = [
    "#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377",
];

fn colour(service: usize) -> &'static str {
    COLOURS[service % COLOURS.len()]
}

fn left(n: usize) -> usize {
    GAP + n * (WIDE + GAP)
}

fn text(out: &mut String, (x, y): (usize, usize), words: &str, more: &str) {
    let _ = writeln!(
        out,
        "<text x=\"{x}\" y=\"{y}\" {more}>{}</text>",
        escaped(words)
    );
}

fn frame(out: &mut String, (x, y): (usize, usize), (wide, high): (usize, usize), fill: &str) {
    let _ = writeln!(
        out,
        "<rect x=\"{x}\" y=\"{y}\" width=\"{wide}\" height=\"{high}\" rx=\"6\" fill=\"{fill}\" stroke=\"#888\"/>"
    );
}

/// The picture as SVG.
#[must_use]
pub fn svg(diagram: &Diagram) -> String {
    let columns = diagram
        .services
        .len()
        .max(diagram.hosts.len().min(ROW))
        .max(1);
    let arrows: usize = diagram.services.iter().map(|s| s.talks_to.len()).sum();
    let below = TOP + LINE * 2 + GAP * (arrows + 2);
    let mut body = String::new();
    let mut high = below;
    for row in diagram.hosts.chunks(ROW) {
        let most = row
            .iter()
            .map(|host| host.instances.len())
            .max()
            .unwrap_or(0);
        let tall = LINE * (most + 3);
        for (n, host) in row.iter().enumerate() {
            on_host(&mut body, host, (left(n), high), tall);
        }
        high += tall + GAP;
    }
    let wide = left(columns);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{wide}\" height=\"{high}\" viewBox=\"0 0 {wide} {high}\" \
         font-family=\"sans-serif\" font-size=\"13\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <defs><marker id=\"to\" markerWidth=\"9\" markerHeight=\"9\" refX=\"8\" refY=\"4\" orient=\"auto\">\
         <path d=\"M0,0 L9,4 L0,8 z\" fill=\"#555\"/></marker></defs>\n"
    );
    text(
        &mut out,
        (GAP, GAP + 8),
        &diagram.title,
        "font-size=\"18\" font-weight=\"bold\"",
    );
    services(&mut out, diagram);
    out.push_str(&body);
    out.push_str("</svg>\n");
    out
}

/// Services side by side, and a line below them for each that talks to another.
fn services(out: &mut String, diagram: &Diagram) {
    out.push_str("<g>\n");
    let mut depth = TOP + LINE * 2;
    for (n, service) in diagram.services.iter().enumerate() {
        frame(out, (left(n), TOP), (WIDE, LINE * 2), colour(n));
        let words = format!("{} {}", service.name, service.version);
        let style = "fill=\"#fff\" font-weight=\"bold\"";
        text(out, (left(n) + 10, TOP + LINE + 4), &words, style);
        for link in &service.talks_to {
            let m = link.to;
            depth += GAP;
            let (from, to) = (
                left(n) + WIDE / 2 + 8 * (m + 1),
                left(m) + WIDE / 2 - 8 * (n + 1),
            );
            let (start, line) = (TOP + LINE * 2, colour(n));
            let _ = writeln!(
                out,
                "<path d=\"M{from},{start} V{depth} H{to} V{}\" fill=\"none\" stroke=\"{line}\" marker-end=\"url(#to)\"/>",
                start + 2
            );
            let place = (to.min(from) + 6, depth - 4);
            text(out, place, &link.label, "font-size=\"11\" fill=\"#555\"");
        }
    }
    out.push_str("</g>\n");
}

fn on_host(out: &mut String, host: &Host, (x, y): (usize, usize), tall: usize) {
    out.push_str("<g>\n");
    frame(out, (x, y), (WIDE, tall), "#f4f4f4");
    text(out, (x + 10, y + LINE), &host.name, "font-weight=\"bold\"");
    text(
        out,
        (x + 10, y + LINE * 2 - 4),
        &host.address,
        "font-size=\"11\" fill=\"#555\"",
    );
    for (n, (service, line)) in host.instances.iter().enumerate() {
        let at = y + LINE * (n + 3) - 6;
        let fill = colour(*service);
        let _ = writeln!(
            out,
            "<rect x=\"{}\" y=\"{}\" width=\"6\" height=\"12\" fill=\"{fill}\"/>",
            x + 10,
            at - 11
        );
        text(out, (x + 22, at), line, "font-size=\"12\"");
    }
    out.push_str("</g>\n");
}
