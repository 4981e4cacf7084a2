//! Creates objects over one connection that is kept: plain HTTP, for a stub that checks no signature.

use crate::Result;
use sha2::{Digest, Sha256};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

pub struct Store {
    host: String,
    bucket: String,
    connection: BufReader<TcpStream>,
}

impl Store {
    pub fn new(endpoint_url: &str, bucket: &str) -> Result<Self> {
        let host = endpoint_url
            .strip_prefix("http://")
            .ok_or("http:// alone is understood")?
            .to_owned();
        let connection = TcpStream::connect(&host)?;
        connection.set_nodelay(true)?;
        Ok(Store {
            host,
            bucket: bucket.to_owned(),
            connection: BufReader::new(connection),
        })
    }

    pub fn create(&mut self, key: &str, body: &[u8]) -> Result<()> {
        let digest: String = Sha256::digest(body).iter().map(|byte| format!("{byte:02x}")).collect();
        let head = format!(
            "PUT /{}/{} HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\nIf-None-Match: *\r\nx-amz-content-sha256: {}\r\n\r\n",
            self.bucket,
            key,
            self.host,
            body.len(),
            digest
        );
        self.connection.get_mut().write_all(head.as_bytes())?;
        self.connection.get_mut().write_all(body)?;
        let mut status = String::new();
        self.connection.read_line(&mut status)?;
        if !status.starts_with("HTTP/1.1 200") {
            return Err(format!("{key}: {}", status.trim()).into());
        }
        let mut left = 0;
        loop {
            let mut line = String::new();
            self.connection.read_line(&mut line)?;
            if let Some(size) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                left = size.trim().parse()?;
            }
            if line.trim().is_empty() {
                break;
            }
        }
        self.connection.read_exact(&mut vec![0; left])?;
        Ok(())
    }
}
