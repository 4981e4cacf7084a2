-- Athena: the files below data/ as a table. Put your bucket and prefix in the place of my-bucket/articles, twice.
-- Partitions are projected from the names of the folders: none is ever added, and new days are there at once.
-- All columns; arrival_timestamp is in milliseconds since 1970, in UTC: from_unixtime(arrival_timestamp / 1000.0).
CREATE EXTERNAL TABLE articles (
  article_id string,
  title string,
  author string,
  publish_date string,
  content string,
  word_count int,
  shard_id string,
  sequence_number string,
  sub_sequence_number bigint,
  arrival_timestamp bigint,
  extra string
)
PARTITIONED BY (dt string)
ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.avro.AvroSerDe'
WITH SERDEPROPERTIES (
  'avro.schema.literal' = '{
    "type": "record", "name": "Article", "namespace": "articles", "fields": [
      {"name": "article_id", "type": "string"},
      {"name": "title", "type": ["null", "string"], "default": null},
      {"name": "author", "type": ["null", "string"], "default": null},
      {"name": "publish_date", "type": ["null", "string"], "default": null},
      {"name": "content", "type": "string"},
      {"name": "word_count", "type": "int"},
      {"name": "shard_id", "type": "string"},
      {"name": "sequence_number", "type": "string"},
      {"name": "sub_sequence_number", "type": "long"},
      {"name": "arrival_timestamp", "type": ["null", "long"], "default": null},
      {"name": "extra", "type": ["null", "string"], "default": null}
    ]}'
)
STORED AS INPUTFORMAT 'org.apache.hadoop.hive.ql.io.avro.AvroContainerInputFormat'
OUTPUTFORMAT 'org.apache.hadoop.hive.ql.io.avro.AvroContainerOutputFormat'
LOCATION 's3://my-bucket/articles/data/'
TBLPROPERTIES (
  'projection.enabled' = 'true',
  'projection.dt.type' = 'date',
  'projection.dt.format' = 'yyyy-MM-dd',
  'projection.dt.range' = '2024-01-01,NOW',
  'storage.location.template' = 's3://my-bucket/articles/data/dt=${dt}/'
);
