//! An object container file of articles, encoded by hand: the header, then deflated blocks.

use libdeflater::{CompressionLvl, Compressor};

const SCHEMA: &str = r#"{"type":"record","name":"Article","namespace":"articles","fields":[{"name":"article_id","type":"string"},{"name":"title","type":["null","string"]},{"name":"author","type":["null","string"]},{"name":"publish_date","type":["null","string"]},{"name":"content","type":"string"},{"name":"word_count","type":"int"},{"name":"shard_id","type":"string"},{"name":"sequence_number","type":"string"},{"name":"sub_sequence_number","type":"long"},{"name":"arrival_timestamp","type":["null",{"type":"long","logicalType":"timestamp-millis"}]},{"name":"extra","type":["null","string"]}]}"#;
const SYNC: &[u8; 16] = b"articles--native";
const BLOCK_BYTES: usize = 64 << 10;
const LEVEL: i32 = 1;

#[derive(Default)]
pub struct Buffer(Vec<u8>);

impl Buffer {
    /// Variable-length zig-zag coding.
    pub fn long(&mut self, value: i64) {
        let mut left = ((value << 1) ^ (value >> 63)) as u64;
        while left > 0x7f {
            self.0.push(left as u8 | 0x80);
            left >>= 7;
        }
        self.0.push(left as u8);
    }

    pub fn string(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    pub fn bytes(&mut self, data: &[u8]) {
        self.long(data.len() as i64);
        self.0.extend_from_slice(data);
    }

    /// A union of null and string.
    pub fn optional(&mut self, text: Option<&str>) {
        match text {
            None => self.long(0),
            Some(text) => {
                self.long(1);
                self.string(text);
            }
        }
    }
}

pub struct File {
    pub records: usize,
    compressor: Compressor,
    block: Buffer,
    block_records: i64,
    blocks: Buffer,
    packed: Vec<u8>,
}

impl File {
    pub fn new() -> Self {
        File {
            records: 0,
            compressor: Compressor::new(CompressionLvl::new(LEVEL).expect("a level there is")),
            block: Buffer::default(),
            block_records: 0,
            blocks: Buffer::default(),
            packed: Vec::new(),
        }
    }

    /// Where the fields of the next record go; `end_record` follows.
    pub fn record(&mut self) -> &mut Buffer {
        &mut self.block
    }

    pub fn end_record(&mut self) {
        self.records += 1;
        self.block_records += 1;
        if self.block.0.len() >= BLOCK_BYTES {
            self.close_block();
        }
    }

    fn close_block(&mut self) {
        if self.block_records == 0 {
            return;
        }
        self.packed
            .resize(self.compressor.deflate_compress_bound(self.block.0.len()), 0);
        let size = self
            .compressor
            .deflate_compress(&self.block.0, &mut self.packed)
            .expect("the bound holds");
        self.blocks.long(self.block_records);
        self.blocks.bytes(&self.packed[..size]);
        self.blocks.0.extend_from_slice(SYNC);
        self.block.0.clear();
        self.block_records = 0;
    }

    /// The whole file; the next one is empty.
    pub fn seal(&mut self) -> Vec<u8> {
        self.close_block();
        let mut file = Buffer(b"Obj\x01".to_vec());
        file.long(2);
        file.string("avro.schema");
        file.string(SCHEMA);
        file.string("avro.codec");
        file.string("deflate");
        file.long(0);
        file.0.extend_from_slice(SYNC);
        file.0.append(&mut self.blocks.0);
        self.records = 0;
        file.0
    }
}
