//! The same child in Rust: the daemon's lines in, Avro files out. It decodes strictly, counts words as Python's
//! `str.split` does, cuts deflate blocks of 64 KiB, creates objects only where there are none, and checkpoints what is
//! stored. What it leaves out costs next to nothing or is not the point: the chain, dead letters, unknown fields,
//! retries, the request's signature (but not the body's digest, which a signature needs).

mod avro;
mod s3;

use serde::Deserialize;
use std::borrow::Cow;
use std::env;
use std::error::Error;
use std::io::{self, BufRead, Write};
use std::str;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Any message; an enum told apart by its tag would be read twice.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message<'a> {
    action: &'a str,
    #[serde(default)]
    shard_id: String,
    #[serde(borrow, default)]
    records: Vec<Record<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    #[serde(borrow)]
    data: Cow<'a, str>,
    #[serde(borrow)]
    sequence_number: Cow<'a, str>,
    sub_sequence_number: i64,
    approximate_arrival_timestamp: Option<i64>,
}

#[derive(Deserialize)]
struct Article<'a> {
    #[serde(borrow)]
    article_id: Cow<'a, str>,
    #[serde(borrow)]
    title: Option<Cow<'a, str>>,
    #[serde(borrow)]
    author: Option<Cow<'a, str>>,
    #[serde(borrow)]
    publish_date: Option<Cow<'a, str>>,
    #[serde(borrow)]
    content: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Answer {
    error: Option<String>,
}

struct Child {
    shard: String,
    store: s3::Store,
    prefix: String,
    file_records: usize,
    file: avro::File,
    last: (String, i64),
}

impl Child {
    fn take(&mut self, record: &Record, plain: &mut Vec<u8>) -> Result<()> {
        self.last.0.clear();
        self.last.0.push_str(&record.sequence_number);
        self.last.1 = record.sub_sequence_number;
        plain.resize(base64_simd::STANDARD.estimated_decoded_length(record.data.len()), 0);
        let decoded = base64_simd::STANDARD
            .decode(record.data.as_bytes(), base64_simd::Out::from_slice(plain))
            .map_err(|_| "not base64")?;
        let text = str::from_utf8(decoded)?;
        match serde_json::from_str::<Article>(text) {
            Ok(article) if !article.article_id.is_empty() && !article.content.is_empty() => {
                self.append(&article, record)
            }
            _ => eprintln!("rejected {}", record.sequence_number),
        }
        Ok(())
    }

    fn append(&mut self, article: &Article, record: &Record) {
        let words = words(&article.content);
        let out = self.file.record();
        out.string(&article.article_id);
        out.optional(article.title.as_deref());
        out.optional(article.author.as_deref());
        out.optional(article.publish_date.as_deref());
        out.string(&article.content);
        out.long(words as i64);
        out.string(&self.shard);
        out.string(&record.sequence_number);
        out.long(record.sub_sequence_number);
        match record.approximate_arrival_timestamp {
            None => out.long(0),
            Some(millis) => {
                out.long(1);
                out.long(millis);
            }
        }
        out.long(0); // extra
        self.file.end_record();
    }

    /// Store what is there, then checkpoint it.
    fn seal(&mut self, input: &mut impl BufRead, output: &mut impl Write) -> Result<()> {
        if self.file.records == 0 {
            return Ok(());
        }
        let body = self.file.seal();
        let key = format!("{}/data/dt=2026-01-01/{}-{}.avro", self.prefix, self.shard, self.last.0);
        self.store.create(&key, &body)?;
        write!(
            output,
            "\n{{\"action\":\"checkpoint\",\"sequenceNumber\":\"{}\",\"subSequenceNumber\":{}}}\n",
            self.last.0, self.last.1
        )?;
        output.flush()?;
        let mut line = String::new();
        input.read_line(&mut line)?;
        match serde_json::from_str::<Answer>(&line)?.error {
            Some(error) => Err(error.into()),
            None => Ok(()),
        }
    }
}

/// Runs of characters between whitespace, of which Python knows four more than Unicode.
fn words(content: &str) -> usize {
    let is_space = |c: char| c.is_whitespace() || ('\x1c'..='\x1f').contains(&c);
    content.split(is_space).filter(|word| !word.is_empty()).count()
}

fn main() -> Result<()> {
    let mut child = Child {
        shard: String::new(),
        store: s3::Store::new(&env::var("AWS_ENDPOINT_URL_S3")?, &env::var("BUCKET")?)?,
        prefix: env::var("PREFIX")?,
        file_records: env::var("FILE_RECORDS")?.parse()?,
        file: avro::File::new(),
        last: (String::new(), 0),
    };
    let mut input = io::BufReader::with_capacity(1 << 16, io::stdin());
    let mut output = io::stdout().lock();
    let (mut line, mut plain) = (String::new(), Vec::new());
    loop {
        line.clear();
        if input.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let message: Message = serde_json::from_str(&line)?;
        match message.action {
            "initialize" => child.shard = message.shard_id,
            "processRecords" => {
                for record in &message.records {
                    child.take(record, &mut plain)?;
                    if child.file.records >= child.file_records {
                        child.seal(&mut input, &mut output)?;
                    }
                }
            }
            "shutdownRequested" => child.seal(&mut input, &mut output)?,
            _ => {}
        }
        writeln!(
            output,
            "\n{{\"action\": \"status\", \"responseFor\": \"{}\"}}",
            message.action
        )?;
        output.flush()?;
    }
}
