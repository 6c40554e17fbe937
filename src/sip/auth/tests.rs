use super::*;
use crate::sip::{
    digest::{Algorithm, Ha1, HashFunction, Qop},
    entropy::Entropy,
    msg::{Headers, Method, Request, Response},
};
use std::time::{Duration, Instant};

const REALM: &str = "acme";

fn request(body: &[u8]) -> Request {
    let mut headers = Headers::new();
    for (name, value) in [
        ("Via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1"),
        ("From", "<sip:100@acme>;tag=1"),
        ("To", "<sip:100@acme>"),
        ("Call-ID", "x"),
        ("CSeq", "1 REGISTER"),
    ] {
        headers.push(name, value);
    }
    Request { method: Method::REGISTER, uri: "sip:acme".parse().unwrap(), headers, body: body.to_vec() }
}

fn unauthorized(challenges: &[&str]) -> Response {
    let mut response = Response::new(401);
    for challenge in challenges {
        response.headers.push("WWW-Authenticate", *challenge);
    }
    response
}

fn client(password: &str) -> ClientAuth {
    ClientAuth::new(Credentials { username: "100-acme".into(), password: password.into() })
}

struct Server {
    auth: ServerAuth,
    now: Instant,
}

impl Server {
    fn new(algorithms: &[Algorithm]) -> Self {
        let now = Instant::now();
        let auth = ServerAuth::new(now, algorithms.to_vec(), Duration::from_secs(300), &mut Entropy::from_seed(7));
        Self { auth, now }
    }

    /// The challenge, or `Ok` when the request is let in.
    fn handle(&mut self, request: &Request) -> Result<(), Response> {
        let asker = Asker::Server;
        let pending = self.auth.credentials(request, asker, REALM);
        let verdict = pending.map(|pending| {
            let known = pending.username() == "100-acme";
            let ha1 = Ha1::new(pending.algorithm().hash, pending.username(), REALM, "s\"e:cret");
            self.auth.verify(self.now, request, &pending, known.then_some(&ha1))
        });
        if verdict == Some(Verdict::Accepted) {
            return Ok(());
        }
        let stale = verdict == Some(Verdict::Stale);
        Err(self.auth.challenge(self.now, request, asker, REALM, stale, Some("t")))
    }
}

#[test]
fn client_and_server_agree_for_every_algorithm() {
    let mut entropy = Entropy::from_seed(1);
    for name in ["MD5", "MD5-sess", "SHA-256", "SHA-256-sess", "SHA-512-256", "SHA-512-256-sess"] {
        let mut server = Server::new(&[Algorithm::from_name(name).unwrap()]);
        let mut client = client("s\"e:cret");
        let mut request = request(b"");
        let challenge = server.handle(&request).unwrap_err();
        assert_eq!((challenge.code(), challenge.headers.to().unwrap().tag()), (401, Some("t")));
        client.handle_challenge(&request, &challenge, &mut entropy).unwrap();
        for count in 1..=17 {
            client.authorize(&mut request);
            let sent = request.headers.get("Authorization").unwrap();
            assert!(sent.contains(&format!("nc={count:08x}")), "{sent}");
            assert!(server.handle(&request).is_ok(), "{name}: {sent}");
        }
        assert!(server.handle(&request).is_err(), "{name}: a replay was let in");
    }
}

#[test]
fn a_wrong_password_is_refused_once_and_for_all() {
    let (mut entropy, mut server, mut client) =
        (Entropy::from_seed(2), Server::new(&[Algorithm::MD5]), client("guess"));
    let mut request = request(b"");
    let challenge = server.handle(&request).unwrap_err();
    client.handle_challenge(&request, &challenge, &mut entropy).unwrap();
    client.authorize(&mut request);
    let again = server.handle(&request).unwrap_err();
    let refusal = client.handle_challenge(&request, &again, &mut entropy).unwrap_err();
    assert_eq!(refusal, AuthError::Refused { realm: REALM.into() });
    assert!(refusal.to_string().contains("password") && !refusal.to_string().contains("guess"));
}

#[test]
fn an_expired_nonce_is_renewed_without_asking_a_person() {
    let (mut entropy, mut server) = (Entropy::from_seed(3), Server::new(&[Algorithm::SHA_256]));
    let mut client = client("s\"e:cret");
    let mut request = request(b"");
    let challenge = server.handle(&request).unwrap_err();
    client.handle_challenge(&request, &challenge, &mut entropy).unwrap();
    client.authorize(&mut request);
    server.handle(&request).unwrap();
    for _ in 0..3 {
        server.now += Duration::from_secs(301);
        client.authorize(&mut request);
        let challenge = server.handle(&request).unwrap_err();
        assert!(Challenge::read(&challenge.headers, Asker::Server)[0].stale);
        client.handle_challenge(&request, &challenge, &mut entropy).unwrap();
        client.authorize(&mut request);
        server.handle(&request).unwrap();
    }
}

#[test]
fn without_a_qop_a_nonce_that_served_may_expire_again_and_again() {
    let mut entropy = Entropy::from_seed(9);
    for stale in ["true", "false"] {
        let (mut client, mut request) = (client("x"), request(b""));
        for n in 0..10 {
            let challenge = unauthorized(&[&format!(r#"Digest realm="acme", nonce="{n}", stale={stale}"#)]);
            let verdict = client.handle_challenge(&request, &challenge, &mut entropy);
            assert_eq!(verdict, Ok(()), "stale={stale}, the {n}th nonce");
            // The request that is let in, and the refresh after it.
            client.authorize(&mut request);
            client.authorize(&mut request);
        }
    }
    let (mut client, mut request) = (client("guess"), request(b""));
    let challenge = |nonce: &str| unauthorized(&[&format!(r#"Digest realm="acme", nonce="{nonce}""#)]);
    client.handle_challenge(&request, &challenge("1"), &mut entropy).unwrap();
    client.authorize(&mut request);
    let refusal = client.handle_challenge(&request, &challenge("2"), &mut entropy);
    assert_eq!(refusal, Err(AuthError::Refused { realm: REALM.into() }), "a fresh nonce");
}

#[test]
fn a_server_elsewhere_is_given_nothing_for_home() {
    let (mut entropy, mut client) = (Entropy::from_seed(10), client("x"));
    let mut home = request(b"");
    client.answer(&mut home, &unauthorized(&[r#"Digest realm="acme", nonce="1""#]), &mut entropy).unwrap();
    assert!(home.headers.get("Authorization").is_some_and(|value| value.contains("acme")));
    let mut elsewhere = request(b"");
    let challenge = unauthorized(&[r#"Digest realm="evil", nonce="2""#]);
    client.answer(&mut elsewhere, &challenge, &mut entropy).unwrap();
    let given: Vec<_> = elsewhere.headers.get_all("Authorization").collect();
    assert!(given.len() == 1 && given[0].contains("evil"), "{given:?}");
    // What a request carried already goes along: each of two proxies in a row wants its own.
    let challenge = unauthorized(&[r#"Digest realm="next", nonce="3""#]);
    client.answer(&mut home, &challenge, &mut entropy).unwrap();
    let realms: Vec<_> = home.headers.get_all("Authorization").collect();
    assert!(realms.len() == 2 && realms[0].contains("acme") && realms[1].contains("next"), "{realms:?}");
}

#[test]
fn endless_staleness_is_a_refusal() {
    let (mut entropy, mut client) = (Entropy::from_seed(4), client("x"));
    let mut request = request(b"");
    let rounds = (0..10).take_while(|n| {
        let challenge = unauthorized(&[&format!(r#"Digest realm="acme", nonce="{n}", stale=true"#)]);
        let go_on = client.handle_challenge(&request, &challenge, &mut entropy).is_ok();
        client.authorize(&mut request);
        go_on
    });
    assert_eq!(rounds.count(), 3);
}

#[test]
fn a_nonce_of_someone_else_is_only_stale_with_the_right_password() {
    let (mut entropy, mut server) = (Entropy::from_seed(5), Server::new(&[Algorithm::MD5]));
    for (password, stale) in [("s\"e:cret", true), ("wrong", false)] {
        for nonce in ["", "zz", "00000000000000000000000000000000ü", &"0".repeat(64)] {
            let mut client = client(password);
            let mut request = request(b"");
            let challenge = unauthorized(&[&format!(r#"Digest realm="acme", nonce="{nonce}", qop="auth""#)]);
            client.handle_challenge(&request, &challenge, &mut entropy).unwrap();
            client.authorize(&mut request);
            let answer = server.handle(&request).unwrap_err();
            assert_eq!(Challenge::read(&answer.headers, Asker::Server)[0].stale, stale, "{nonce}");
        }
    }
}

#[test]
fn the_strongest_supported_challenge_is_answered() {
    let several = [
        r#"Digest realm="acme", nonce="1", algorithm=SHA-1, qop="auth""#,
        r#"Digest realm="acme", nonce="2", algorithm=MD5, qop="auth,auth-int", Digest realm="acme", nonce="3", opaque="o,\"p", algorithm=SHA-256, qop="auth-int, token""#,
        r#"Basic realm="acme", Negotiate, Digest realm = "other" , nonce="4",domain="sip:a sip:b",stale=TRUE"#,
    ];
    let mut client = client("x");
    let mut request = request(b"body");
    client.handle_challenge(&request, &unauthorized(&several), &mut Entropy::from_seed(6)).unwrap();
    client.authorize(&mut request);
    client.authorize(&mut request);
    let sent: Vec<_> = request.headers.get_all("Authorization").collect();
    assert_eq!(sent.len(), 2, "{sent:?}");
    let strong = Authorization::read(&request.headers, Asker::Server, "acme").unwrap();
    assert_eq!((strong.nonce.as_str(), strong.algorithm, strong.nonce_count()), ("3", Algorithm::SHA_256, Some(2)));
    assert_eq!(strong.opaque.as_deref(), Some("o,\"p"));
    assert!(sent[0].contains("qop=auth-int"));
    let ha1 = Ha1::new(HashFunction::Sha256, "100-acme", "acme", "x");
    assert_eq!(strong.expected(&ha1, &request), strong.response);
    request.body.push(b'!');
    assert!(strong.expected(&ha1, &request) != strong.response, "auth-int covers the body");
    let old = Authorization::read(&request.headers, Asker::Server, "other").unwrap();
    assert!(old.protection.is_none() && !sent[1].contains("nc="));
}

#[test]
fn challenges_that_cannot_be_answered() {
    for challenges in [
        &[][..],
        &["Basic realm=\"acme\""],
        &["Digest realm=\"acme\""],
        &["Digest nonce=\"1\""],
        &["Digest realm=\"acme\", nonce=\"1\", qop=\"token\""],
        &["Digest realm=\"acme\", nonce=\"1\", algorithm=SHA3"],
        &["", ",,,", "Digest", "=", "\"", "Digest realm=\"acme"],
    ] {
        let refusal =
            client("x").handle_challenge(&request(b""), &unauthorized(challenges), &mut Entropy::from_seed(8));
        assert_eq!(refusal, Err(AuthError::Unsupported), "{challenges:?}");
    }
}

#[test]
fn a_proxy_and_a_server_may_both_ask() {
    let (mut entropy, mut client, mut request) = (Entropy::from_seed(9), client("x"), request(b""));
    let mut by_proxy = Response::new(407);
    by_proxy.headers.push("Proxy-Authenticate", r#"Digest realm="acme", nonce="p", qop="auth""#);
    client.handle_challenge(&request, &by_proxy, &mut entropy).unwrap();
    client.authorize(&mut request);
    let by_server = unauthorized(&[r#"Digest realm="acme", nonce="s", qop="auth""#]);
    client.handle_challenge(&request, &by_server, &mut entropy).unwrap();
    client.authorize(&mut request);
    assert_eq!(request.headers.get_all("Proxy-Authorization").count(), 1);
    assert_eq!(Authorization::read(&request.headers, Asker::Server, "acme").unwrap().nonce, "s");
}

#[test]
fn a_nonce_without_a_count_is_good_once() {
    let (mut entropy, mut server) = (Entropy::from_seed(10), Server::new(&[Algorithm::MD5]));
    let mut request = request(b"");
    let offered = server.handle(&request).unwrap_err();
    let mut old = Challenge::read(&offered.headers, Asker::Server).remove(0);
    old.qop = Vec::<Qop>::new();
    let mut client = client("s\"e:cret");
    client.handle_challenge(&request, &unauthorized(&[&old.to_string()]), &mut entropy).unwrap();
    client.authorize(&mut request);
    assert!(server.handle(&request).is_ok());
    assert!(server.handle(&request).is_err());
}

#[test]
fn secrets_do_not_show() {
    let client = client("s3cret");
    assert!(!format!("{client:?}").contains("s3cret"));
    let server = Server::new(&[Algorithm::MD5]);
    assert!(!format!("{:?}", server.auth).contains("key"));
}
