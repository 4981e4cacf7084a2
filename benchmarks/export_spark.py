"""What people would write: Spark reads the files, shuffles the records and writes them. Run by the Python of the plan
`readers`: `python -P benchmarks/export_spark.py JAR SOURCE TO FILES CORES SCRATCH`."""

from __future__ import annotations

import sys

from pyspark.sql import SparkSession
from pyspark.sql.functions import rand

if __name__ == "__main__":
    jar, source, to, files, cores, scratch = sys.argv[1:]
    spark = (
        SparkSession.builder.master(f"local[{cores}]")
        .config("spark.jars", jar)
        .config("spark.local.dir", scratch)
        .config("spark.driver.memory", "2g")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", files)
        .config("spark.sql.adaptive.coalescePartitions.enabled", "false")
        .getOrCreate()
    )
    articles = spark.read.format("avro").load(f"{source}/data").drop("dt")
    articles.orderBy(rand(seed=7)).write.format("avro").option("compression", "deflate").save(to)
    spark.stop()
