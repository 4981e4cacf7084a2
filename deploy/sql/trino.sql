-- Trino, in a catalog of its Hive connector: the files below data/ as a table. Put your catalog and schema in the place
-- of hive.default, and your bucket and prefix in that of my-bucket/articles, twice. Partitions are projected from the
-- names of the folders: none is ever added, and new days are there at once.
-- All columns; arrival_timestamp is in milliseconds since 1970, in UTC: from_unixtime(arrival_timestamp / 1000.0).
CREATE TABLE hive.default.articles (
  article_id varchar,
  title varchar,
  author varchar,
  publish_date varchar,
  content varchar,
  word_count integer,
  shard_id varchar,
  sequence_number varchar,
  sub_sequence_number bigint,
  arrival_timestamp bigint,
  extra varchar,
  dt varchar WITH (
    partition_projection_type = 'DATE',
    partition_projection_format = 'yyyy-MM-dd',
    partition_projection_range = ARRAY['2024-01-01', 'NOW']
  )
)
WITH (
  format = 'AVRO',
  external_location = 's3://my-bucket/articles/data/',
  partitioned_by = ARRAY['dt'],
  partition_projection_enabled = true,
  partition_projection_location_template = 's3://my-bucket/articles/data/dt=${dt}/',
  avro_schema_literal = '{
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
);
