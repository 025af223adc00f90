//! Archives from a server, whole, cut, wrong and gone.

use super::super::testing::{Bench, Page, Server, archive, release, request, sums};
use super::super::{Format, Progress, Source, disk};
use std::fs;

#[tokio::test]
async fn a_download_is_checked_kept_and_found_again() {
    let (server, bench, body) = (Server::start(), Bench::new(), release());
    let url = server.put("/mill_2.13-3.9.1.tgz", Page::new(&body[..]));
    let mut wanted = request("mill", "3.9.1");
    wanted.sources = vec![archive(
        url.clone(),
        Some(sums(&body).sha512.to_uppercase()),
    )];
    assert_eq!(bench.shelf.cached(&wanted), None);
    let got = bench.resolve(&wanted).await.unwrap();
    assert_eq!(
        (got.sha256.clone(), got.size),
        (sums(&body).sha256, body.len() as u64)
    );
    assert_eq!((got.format, got.strip), (Format::TarGz, 1));
    assert_eq!(got.origin, format!("archive {url} (checked)"));
    assert_eq!(fs::read(&got.path).unwrap(), body);
    assert_eq!(bench.shelf.cached(&wanted), Some(got.clone()));
    assert_eq!(bench.resolve(&wanted).await.unwrap(), got);
    assert_eq!(server.log.lock().unwrap().len(), 1);
    let told = bench.told.lock().unwrap();
    let total = Some(body.len() as u64);
    assert_eq!(
        told.last(),
        Some(&Progress::Bytes {
            done: body.len() as u64,
            total
        })
    );
    assert_eq!(bench.kept().len(), 2, "{:?}", bench.kept());
}

#[tokio::test]
async fn a_cut_download_goes_on_where_it_stopped() {
    let (server, bench, body) = (Server::start(), Bench::new(), release());
    let mut page = Page::new(&body[..]);
    page.cut = Some(250_000);
    let url = server.put("/k.tgz", page);
    let mut wanted = request("mill", "3.9.1");
    wanted.sources = vec![archive(url, Some(sums(&body).sha512))];
    bench.resolve(&wanted).await.unwrap();
    let log = server.log.lock().unwrap();
    let asked: Vec<_> = log.iter().map(|(_, first, sent)| (*first, *sent)).collect();
    assert_eq!(
        asked,
        [
            (0, 250_000),
            (250_000, 250_000),
            (500_000, body.len() - 500_000)
        ]
    );
}

#[tokio::test]
async fn a_later_run_asks_for_the_rest_of_the_same_file_only() {
    let (server, bench, body) = (Server::start(), Bench::new(), release());
    let mut wanted = request("mill", "3.9.1");
    let mut page = Page::new(&body[..]);
    page.cut = Some(0);
    let url = server.put("/k.tgz", page.clone());
    wanted.sources = vec![archive(url, Some(sums(&body).sha512))];
    let place = bench.shelf.place_of(&wanted, &wanted.sources[0]).unwrap();
    let part = disk::beside(&place, ".part");
    let error = bench.resolve(&wanted).await.unwrap_err().to_string();
    assert!(error.contains("cut off after 0 bytes"), "{error}");
    assert!(!place.exists() && bench.shelf.cached(&wanted).is_none());
    fs::write(&part, &body[..100_000]).unwrap();
    page.cut = None;
    server.put("/k.tgz", page.clone());
    server.log.lock().unwrap().clear();
    bench.resolve(&wanted).await.unwrap();
    assert_eq!(server.log.lock().unwrap()[0].1, 100_000);

    // Another version of the file upstream: all of it is asked for.
    let cache = place.parent().unwrap();
    fs::remove_file(&place).unwrap();
    fs::write(&part, b"old").unwrap();
    let version = format!(r#"{{"url":"{}/k.tgz","mark":"\"zero\""}}"#, server.root);
    fs::write(disk::beside(&part, ".json"), version).unwrap();
    server.log.lock().unwrap().clear();
    bench.resolve(&wanted).await.unwrap();
    let log: Vec<_> = server.log.lock().unwrap().clone();
    assert_eq!(log, [("/k.tgz".into(), 0, body.len())]);
    assert!(!part.exists() && cache.exists());
}

#[tokio::test]
async fn a_wrong_beginning_is_thrown_away_once() {
    let (server, bench, body) = (Server::start(), Bench::new(), release());
    let url = server.put("/k.tgz", Page::new(&body[..]));
    let mut wanted = request("mill", "3.9.1");
    wanted.sources = vec![archive(url.clone(), Some(sums(&body).sha512))];
    let place = bench.shelf.place_of(&wanted, &wanted.sources[0]).unwrap();
    let part = disk::beside(&place, ".part");
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    fs::write(&part, vec![0; 1000]).unwrap();
    let version = format!(r#"{{"url":"{url}","mark":"\"one\""}}"#);
    fs::write(disk::beside(&part, ".json"), version).unwrap();
    bench.resolve(&wanted).await.unwrap();
    let firsts: Vec<_> = server
        .log
        .lock()
        .unwrap()
        .iter()
        .map(|(_, first, _)| *first)
        .collect();
    assert_eq!(firsts, [1000, 0]);
}

#[tokio::test]
async fn a_wrong_file_is_not_used() {
    let (server, bench, body) = (Server::start(), Bench::new(), release());
    let url = server.put("/k.tgz", Page::new(&body[..]));
    let mut wanted = request("mill", "3.9.1");
    wanted.sources = vec![archive(url.clone(), Some("0".repeat(128)))];
    let error = bench.resolve(&wanted).await.unwrap_err().to_string();
    let got = sums(&body).sha512;
    let zeros = "0".repeat(128);
    assert_eq!(
        error,
        format!("{url} has the wrong SHA-512: expected {zeros}, got {got}")
    );
    assert_eq!(bench.kept(), Vec::<String>::new());

    let url = server.put("/half.tgz", Page::new(&body[..body.len() / 2]));
    wanted.sources = vec![archive(url, None)];
    let error = bench.resolve(&wanted).await.unwrap_err().to_string();
    assert!(error.contains("cut short"), "{error}");
    assert_eq!(bench.kept(), Vec::<String>::new());

    wanted.sources = vec![archive("http://127.0.0.1/x.tgz".into(), Some("12".into()))];
    let error = bench.resolve(&wanted).await.unwrap_err().to_string();
    assert_eq!(error, "not a SHA-512 in hex: 12");
}

#[tokio::test]
async fn upstreams_sum_file_is_asked_where_no_checksum_is_known() {
    let (server, bench, body) = (Server::start(), Bench::new(), release());
    let url = server.put("/k.tgz", Page::new(&body[..]));
    let sum = sums(&body).sha512.to_uppercase();
    let (first, rest) = sum.split_at(64);
    let text = format!("k.tgz: {first}\n       {rest}\n");
    let sum_url = server.put("/k.tgz.sha512", Page::new(text));
    let mut wanted = request("mill", "3.9.1");
    let source = |sum_url: &str| Source::Archive {
        url: url.clone(),
        sha512: None,
        sums: Some(sum_url.into()),
        sha256: None,
        strip: 1,
    };
    wanted.sources = vec![source(&sum_url)];
    let origin = bench.resolve(&wanted).await.unwrap().origin;
    assert_eq!(
        origin,
        format!("archive {url} (checked by upstream's own sum file)")
    );
    let other = server.put(
        "/other.sha512",
        Page::new(format!("{}  other.tgz", "0".repeat(128))),
    );
    wanted.sources = vec![source(&other)];
    let error = bench.resolve(&wanted).await.unwrap_err().to_string();
    assert!(
        error.contains("other.sha512 has no checksum of k.tgz"),
        "{error}"
    );
}
