//! Framing, versions, and answers that are none.

use std::time::Duration;

use kafka_protocol::messages::metadata_response::MetadataResponseTopic;
use kafka_protocol::messages::{
    ApiKey, ApiVersionsResponse, DescribeQuorumRequest, MetadataRequest, MetadataResponse,
    TopicName,
};
use kafka_protocol::protocol::StrBytes;

use super::fake::{Asked, Fake, SOON, framed, offers};
use crate::kafka::error::Error;

const OFFERED: &[(ApiKey, i16)] = &[(ApiKey::ApiVersions, 3), (ApiKey::Metadata, 9)];

fn metadata() -> MetadataResponse {
    let name = TopicName(StrBytes::from_static_str("velib-stations"));
    let topic = MetadataResponseTopic::default().with_name(Some(name));
    MetadataResponse::default().with_topics(vec![topic])
}

/// A broker that is itself until Metadata is asked for.
fn broker(answer: impl Fn(&Asked) -> Option<Vec<u8>> + Send + Sync + 'static) -> Fake {
    Fake::new(move |asked| match asked.key {
        ApiKey::ApiVersions => Some(asked.answer(&offers(OFFERED))),
        _ => answer(asked),
    })
}

#[tokio::test]
async fn the_highest_common_version_is_used() {
    let fake = broker(|asked| {
        assert_eq!(asked.version, 9);
        Some(asked.answer(&metadata()))
    });
    let mut connection = fake.connect().await.unwrap();
    assert_eq!(connection.version::<MetadataRequest>(), Some(9));
    let answer = connection
        .send(&MetadataRequest::default(), SOON)
        .await
        .unwrap();
    assert_eq!(answer, metadata());
    let missing = connection
        .send(&DescribeQuorumRequest::default(), SOON)
        .await
        .unwrap_err();
    assert_eq!(
        missing.to_string(),
        "b:1: the broker does not offer DescribeQuorum in a version known here"
    );
    assert!(!connection.is_broken());
}

#[tokio::test]
async fn a_cap_is_kept_and_may_leave_nothing_in_common() {
    let fake = broker(|asked| {
        assert_eq!(asked.version, 4);
        Some(asked.answer(&metadata()))
    });
    let mut connection = fake.connect().await.unwrap();
    connection
        .send_capped(&MetadataRequest::default(), 4, SOON)
        .await
        .unwrap();
    let none = connection
        .send_capped(&MetadataRequest::default(), -1, SOON)
        .await;
    assert!(matches!(none, Err(Error::Unsupported { .. })));
}

#[tokio::test]
async fn a_broker_that_knows_only_the_first_version_is_asked_again() {
    let fake = Fake::new(|asked| {
        Some(match (asked.key, asked.version) {
            (ApiKey::ApiVersions, 0) => asked.answer(&offers(OFFERED)),
            (ApiKey::ApiVersions, _) => {
                asked.answer_in(0, &ApiVersionsResponse::default().with_error_code(35))
            }
            _ => asked.answer(&metadata()),
        })
    });
    let mut connection = fake.connect().await.unwrap();
    assert_eq!(
        connection
            .send(&MetadataRequest::default(), SOON)
            .await
            .unwrap(),
        metadata()
    );
}

#[tokio::test]
async fn bytes_after_the_answer_are_let_pass() {
    let fake = broker(|asked| {
        let whole = asked.answer(&metadata());
        Some(framed(&[&whole[4..], b"and more"].concat()))
    });
    let mut connection = fake.connect().await.unwrap();
    for _ in 0..2 {
        assert_eq!(
            connection
                .send(&MetadataRequest::default(), SOON)
                .await
                .unwrap(),
            metadata()
        );
    }
}

#[tokio::test]
async fn an_answer_cut_off_anywhere_is_an_error() {
    let length = broker(|asked| Some(asked.answer(&metadata())));
    let whole = {
        let mut connection = length.connect().await.unwrap();
        connection
            .send(&MetadataRequest::default(), SOON)
            .await
            .unwrap();
        // id, tag, throttle, brokers, cluster, controller, topics with one name, operations, tags
        4 + 1 + 4 + 1 + 1 + 4 + 1 + (2 + 15 + 1 + 1 + 4 + 1) + 4 + 1
    };
    for cut in 0..whole {
        // In a frame that says so itself...
        let fake = broker(move |asked| Some(framed(&asked.answer(&metadata())[4..4 + cut])));
        let mut connection = fake.connect().await.unwrap();
        let answer = connection.send(&MetadataRequest::default(), SOON).await;
        assert!(
            matches!(answer, Err(Error::Malformed { .. })),
            "{cut}: {answer:?}"
        );
    }
}

#[tokio::test]
async fn a_stream_cut_off_anywhere_is_an_error() {
    for cut in 0..40 {
        let fake = Fake::new(move |asked| {
            let whole = asked.answer(&offers(OFFERED));
            // The pipe is closed after the bytes, since the next request never comes.
            Some(whole[..cut.min(whole.len() - 1)].to_vec())
        });
        let limit = Duration::from_millis(20);
        let stream = crate::transport::Dial::dial(&fake, "b", 1).await.unwrap();
        let opened =
            crate::kafka::connection::Connection::over("b:1".to_owned(), stream, limit).await;
        assert!(matches!(opened, Err(Error::Timeout { .. })), "{cut}");
    }
}

#[tokio::test]
async fn frames_of_no_sane_length_are_refused_unread() {
    for length in [-1_i32, 0, 3, (32 << 20) + 1, i32::MAX, i32::MIN] {
        let fake = broker(move |_| Some(length.to_be_bytes().to_vec()));
        let mut connection = fake.connect().await.unwrap();
        let answer = connection
            .send(&MetadataRequest::default(), SOON)
            .await
            .unwrap_err();
        assert!(
            answer
                .to_string()
                .contains(&format!("a frame of {length} bytes")),
            "{answer}"
        );
        assert!(connection.is_broken());
    }
}

#[tokio::test]
async fn an_answer_to_another_request_is_refused() {
    let fake = broker(|asked| {
        let mut frame = asked.answer(&metadata());
        frame[7] ^= 1;
        Some(frame)
    });
    let mut connection = fake.connect().await.unwrap();
    let answer = connection
        .send(&MetadataRequest::default(), SOON)
        .await
        .unwrap_err();
    assert!(answer.to_string().contains("correlation id"), "{answer}");
    assert!(connection.is_broken());
}

#[tokio::test]
async fn another_protocol_is_no_broker() {
    let other: [&'static [u8]; 4] = [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2p1\r\n",
        b"\0\0\0\x04\0\0\0\0",
        b"\x15\x03\x03\0\x02\x02\x0a",
    ];
    for bytes in other {
        let fake = Fake::new(move |_| Some(bytes.to_vec()));
        let opened = fake.connect().await;
        assert!(
            matches!(&opened, Err(e) if e.is_transport()),
            "{:?}",
            opened.err()
        );
    }
}

#[tokio::test]
async fn silence_ends_in_time_and_spoils_the_connection() {
    let fake = broker(|_| Some(Vec::new()));
    let mut connection = fake.connect().await.unwrap();
    let answer = connection
        .send(&MetadataRequest::default(), Duration::from_millis(20))
        .await;
    assert_eq!(
        answer.unwrap_err().to_string(),
        "b:1: no answer to Metadata within 0.02 s"
    );
    assert!(connection.is_broken());
}
