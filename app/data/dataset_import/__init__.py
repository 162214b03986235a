"""Reading an uploaded file into a data set's stored form. Runs as a child process: `python -m app.data.dataset_import`.

    formats       which format a file has; opens it as a stream of records
    json_files    JSON Lines and JSON arrays, decoded piece by piece
    tables        CSV and TSV
    parquet_files Parquet, bounded in what it may unpack to
    records       what a reader hands on: one record with its place in the file, or what is wrong with it
    shapes        a record, in any of the shapes that people use, becomes an app.data.rows.Row
    conversations the turns of a conversation, under either of their two spellings
    store         writes rows.jsonl and keys.bin and collects what the statistics need
    statistics    lengths, duplicates, leakage; near_duplicates finds prompts that are almost the same

Everything streams: memory is bounded by the longest row (of Parquet by a row group) and
about 100 bytes a row for the statistics, not by the file.
"""
