SELECT id, author, mood, score FROM desk.notes WHERE id = 7
SELECT n.*, (n.doc->>'n')::int + 1 FROM desk.notes n WHERE n.doc @> '{"n": 12}'
SELECT desk.notes.id, notes.mood FROM desk.notes WHERE desk.notes.id < 4 ORDER BY desk.notes.id
SELECT narrows.desk.notes.id FROM narrows.desk.notes WHERE narrows.desk.notes.id = 3
SELECT notes FROM desk.notes ORDER BY id LIMIT 2
SELECT mood, count(*), avg(score), string_agg(body, ',' ORDER BY id) FILTER (WHERE id < 10) FROM desk.notes GROUP BY GROUPING SETS ((mood), ()) ORDER BY mood NULLS LAST
SELECT id, rank() OVER (PARTITION BY mood ORDER BY score DESC, id) FROM desk.notes ORDER BY id LIMIT 5
SELECT id, sum(score) OVER w FROM desk.notes WINDOW w AS (ORDER BY id ROWS BETWEEN 2 PRECEDING AND CURRENT ROW EXCLUDE CURRENT ROW) ORDER BY id LIMIT 5
WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 5) SELECT t.n, desk.notes.body FROM t JOIN desk.notes ON id = n ORDER BY 1
WITH notes AS (SELECT 42 AS id) SELECT id FROM notes WHERE EXISTS (SELECT FROM desk.notes)
SELECT a.author, l.body FROM (SELECT DISTINCT author FROM desk.notes) a, LATERAL (SELECT body FROM desk.notes n WHERE n.author = a.author ORDER BY id DESC LIMIT 1) l ORDER BY 1
SELECT count(*) FROM desk.notes TABLESAMPLE SYSTEM (100) REPEATABLE (1)
SELECT DISTINCT ON (author) author, id FROM desk.notes ORDER BY author, id DESC
SELECT id FROM desk.notes WHERE to_tsvector('english', body) @@ to_tsquery('english', 'note & 7')
SELECT id, body FROM desk.notes WHERE body ~ '^note (1|2)\d$' ORDER BY id
SELECT desk.double(id), 'sad'::desk.mood < mood FROM desk.notes ORDER BY id LIMIT 3
SELECT 'desk.notes'::regclass::oid = (SELECT tableoid FROM desk.notes LIMIT 1)
SELECT ROW(1, 'x')::desk.pair, (ROW(1, 'x')::desk.pair).b FROM desk.notes LIMIT 1
SELECT ARRAY(SELECT id FROM desk.notes ORDER BY id LIMIT 3), ARRAY[[1,2],[3,NULL]], '[2:3]={5,6}'::int[] FROM desk.notes LIMIT 1
SELECT '-infinity'::timestamptz, '4713-01-01 BC'::date, 'NaN'::numeric, interval '1 mon -3 days', 1e400::numeric FROM desk.notes LIMIT 1
TABLE desk.replies ORDER BY text LIMIT 3
SELECT * FROM desk.notes n JOIN desk.replies r ON r.note = n.id ORDER BY n.id, r.text LIMIT 3
SELECT id FROM desk.notes WHERE id = ANY (ARRAY[3, 5]) OR (author, body) IN (('author 1', 'note 1')) ORDER BY id
SELECT id FROM desk.notes FOR UPDATE SKIP LOCKED LIMIT 1
SELECT id FROM ONLY desk.notes n ORDER BY n.id FETCH FIRST 2 ROWS WITH TIES
SELECT x.* FROM desk.notes, jsonb_to_recordset('[{"a":1,"b":"q"}]') AS x(a int, b text) LIMIT 1
SELECT i, id FROM ROWS FROM (generate_series(1, 3), generate_series(1, 2)) AS f(i, j) LEFT JOIN desk.notes ON id = j ORDER BY 1
EXPLAIN (COSTS OFF) SELECT 1 / 0 FROM desk.notes
SELECT 1 / (id - 7) FROM desk.notes ORDER BY id
SELECT nope FROM desk.notes
SELECT n.nope FROM desk.notes n
SELECT id FROM desk.notes WHERE author = 1
SELECT no_such_function(id) FROM desk.notes
SELECT id FROM desk.notes ORDER BY
SELECT 'é', nope FROM desk.notes
SELECT author, count(*) FROM desk.notes
INSERT INTO desk.notes (id, author, score) VALUES (500, 'x', 11)
INSERT INTO desk.notes (id, author) VALUES (1, 'x')
INSERT INTO desk.notes (id) VALUES (501)
INSERT INTO desk.notes (id, author, body, mood) VALUES (502, 'x', 'y', 'glad')
BEGIN; INSERT INTO desk.notes (author, body, mood) VALUES ('new', 'one', 'ok'), ('new', 'two', NULL) RETURNING author, body, mood, at; ROLLBACK
BEGIN; INSERT INTO desk.notes AS n (id, author, body) VALUES (1, 'a', 'b') ON CONFLICT (id) DO UPDATE SET body = n.body || excluded.body RETURNING n.id, body; ROLLBACK
BEGIN; UPDATE desk.notes SET score = score + 1 FROM desk.replies r WHERE r.note = notes.id AND notes.id < 4 RETURNING notes.id, notes.score; ROLLBACK
BEGIN; DELETE FROM desk.replies USING desk.notes n WHERE n.id = replies.note AND n.id < 3 RETURNING replies.text; ROLLBACK
BEGIN; WITH gone AS (DELETE FROM desk.replies RETURNING *) SELECT count(*) FROM gone; SELECT count(*) FROM desk.replies; ROLLBACK
BEGIN; MERGE INTO desk.accounts a USING (VALUES (1, 5), (99, 7)) v(id, more) ON a.id = v.id WHEN MATCHED THEN UPDATE SET balance = balance + more WHEN NOT MATCHED THEN INSERT VALUES (v.id, v.more); SELECT * FROM desk.accounts WHERE id IN (1, 99) ORDER BY id; ROLLBACK
BEGIN; SAVEPOINT a; UPDATE desk.accounts SET balance = 0 WHERE id = 1; ROLLBACK TO a; SELECT balance FROM desk.accounts WHERE id = 1; RELEASE a; COMMIT
BEGIN; SAVEPOINT a; SELECT 1 / 0 FROM desk.notes; SELECT 1; ROLLBACK TO a; SELECT count(*) FROM desk.accounts; COMMIT
BEGIN; SELECT nope FROM desk.notes; SELECT 1; COMMIT
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT count(*) FROM desk.notes; UPDATE desk.accounts SET balance = 0; ROLLBACK
BEGIN; INSERT INTO desk.replies VALUES (-1, 'orphan'); COMMIT
BEGIN; SET CONSTRAINTS ALL IMMEDIATE; INSERT INTO desk.replies VALUES (-1, 'orphan'); COMMIT
BEGIN; DECLARE c SCROLL CURSOR FOR SELECT id FROM desk.notes ORDER BY id; FETCH 2 FROM c; MOVE 3 IN c; FETCH NEXT FROM c; FETCH BACKWARD 2 FROM c; CLOSE c; COMMIT
PREPARE p AS SELECT id, body FROM desk.notes WHERE id = $1; EXECUTE p(4); EXECUTE p(1 + 4); EXECUTE p('x'); DEALLOCATE p
PREPARE p(text) AS SELECT count(*) FROM desk.notes WHERE author = $1; EXECUTE p('author 3')
SELECT count(*) FROM desk.notes; SELECT count(*) FROM desk.replies; SELECT nope FROM desk.notes; SELECT 1
COPY (SELECT id, body FROM desk.notes ORDER BY id LIMIT 3) TO STDOUT (FORMAT csv, HEADER)
COPY desk.replies TO STDOUT
SET TimeZone = 'Asia/Tokyo'; SET DateStyle = 'German'; SELECT at FROM desk.notes WHERE id = 1
SET IntervalStyle = iso_8601; SET bytea_output = escape; SELECT interval '1 day 2 hours', '\x0041'::bytea FROM desk.notes LIMIT 1
SET my.tenant = 'blue'; SELECT current_setting('my.tenant') FROM desk.notes LIMIT 1
SET search_path = desk; SELECT id, double(id), mood::mood FROM notes WHERE id = 8
BEGIN; CREATE TABLE desk.fresh (id int PRIMARY KEY); INSERT INTO desk.fresh VALUES (1), (2); SELECT sum(id) FROM desk.fresh; DROP TABLE desk.fresh; COMMIT
BEGIN; CREATE TEMP TABLE scratch ON COMMIT DROP AS SELECT id FROM desk.notes WHERE id < 4; COMMIT
BEGIN; LOCK TABLE desk.accounts IN SHARE MODE; TRUNCATE desk.replies; SELECT count(*) FROM desk.replies; ROLLBACK
ANALYZE desk.accounts
BEGIN; CREATE INDEX ON desk.replies (text); ALTER TABLE desk.replies ADD COLUMN more int; SELECT more FROM desk.replies LIMIT 1; ROLLBACK
