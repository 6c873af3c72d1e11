PREPARE p(mood) AS SELECT id FROM desk.notes WHERE mood = $1 ORDER BY id LIMIT 2 ;; EXECUTE p('ok') ;; EXECUTE p('nope')
PREPARE p(desk.mood[]) AS SELECT id FROM desk.notes WHERE mood = ANY($1) ORDER BY id LIMIT 2 ;; EXECUTE p('{ok,sad}') ;; EXECUTE p(ARRAY['ok']::desk.mood[])
PREPARE p(inet, timestamp(3)) AS SELECT $1, $2 FROM desk.notes LIMIT 1 ;; EXECUTE p('::1', '2024-01-01 00:00:00.123456')
PREPARE p(desk.nosuch) AS SELECT $1 FROM desk.notes
PREPARE p AS SELECT nope FROM desk.notes
PREPARE p AS SELECT id FROM desk.notes WHERE id = $1 AND nope ;; SELECT 1
BEGIN ;; PREPARE p AS UPDATE desk.notes SET body = $1 WHERE id = $2 RETURNING id, body ;; EXECUTE p('x', 3) ;; EXECUTE p('y', '4') ;; ROLLBACK ;; DEALLOCATE p ;; EXECUTE p('x', 1)
BEGIN ;; PREPARE p AS SELECT 1 / $1::int FROM desk.notes LIMIT 1 ;; EXECUTE p(0) ;; EXECUTE p(1) ;; ROLLBACK ;; EXECUTE p(1)
PREPARE p AS INSERT INTO desk.notes (author) VALUES ($1) RETURNING author ;; BEGIN ;; EXECUTE p('new') ;; SELECT count(*) FROM desk.notes WHERE author = 'new' ;; ROLLBACK ;; DEALLOCATE ALL
PREPARE p AS SELECT 1 FROM desk.notes LIMIT 1 ;; PREPARE p AS SELECT 2 FROM desk.notes LIMIT 1
BEGIN ;; DECLARE c SCROLL CURSOR FOR SELECT id FROM desk.notes ORDER BY id ;; FETCH LAST c ;; FETCH FIRST c ;; FETCH ABSOLUTE 5 c ;; FETCH RELATIVE -2 c ;; FETCH PRIOR c ;; FETCH BACKWARD ALL c ;; MOVE ALL c ;; FETCH 2 c ;; CLOSE c ;; FETCH 1 c ;; ROLLBACK
DECLARE c CURSOR FOR SELECT id FROM desk.notes
BEGIN ;; DECLARE c NO SCROLL CURSOR FOR SELECT id FROM desk.notes ORDER BY id ;; FETCH 1 c ;; FETCH BACKWARD 1 c ;; ROLLBACK
BEGIN ;; DECLARE c CURSOR WITH HOLD FOR SELECT id FROM desk.notes ORDER BY id ;; FETCH 1 c ;; COMMIT ;; FETCH 2 c ;; CLOSE c ;; FETCH 1 c
DECLARE c CURSOR WITH HOLD FOR SELECT id FROM desk.notes ORDER BY id ;; FETCH 3 c ;; CLOSE ALL ;; FETCH 1 c
BEGIN ;; DECLARE c CURSOR FOR SELECT id FROM desk.notes ORDER BY id FOR UPDATE ;; FETCH 1 c ;; UPDATE desk.notes SET body = 'z' WHERE CURRENT OF c ;; ROLLBACK
BEGIN ;; DECLARE c CURSOR FOR SELECT id FROM desk.notes ORDER BY id ;; COMMIT ;; FETCH 1 c
BEGIN ;; DECLARE c CURSOR FOR SELECT 1 FROM desk.notes ;; DECLARE c CURSOR FOR SELECT 2 FROM desk.notes ;; ROLLBACK
BEGIN ;; SAVEPOINT a ;; DECLARE c CURSOR FOR SELECT id FROM desk.notes ORDER BY id ;; ROLLBACK TO a ;; FETCH 1 c ;; ROLLBACK
BEGIN ;; INSERT INTO desk.replies VALUES (99999, 'x') ;; COMMIT ;; SELECT 1
BEGIN ;; INSERT INTO desk.replies VALUES (99999, 'x') ;; SET CONSTRAINTS ALL IMMEDIATE ;; COMMIT
BEGIN ISOLATION LEVEL SERIALIZABLE ;; SELECT 1 FROM desk.notes LIMIT 1 ;; COMMIT AND CHAIN ;; SHOW transaction_isolation ;; SELECT current_setting('transaction_isolation') FROM desk.notes LIMIT 1 ;; ROLLBACK AND CHAIN ;; SHOW transaction_isolation ;; COMMIT ;; COMMIT AND CHAIN
SAVEPOINT a ;; RELEASE a ;; ROLLBACK TO a
BEGIN ;; SAVEPOINT a ;; SELECT nope FROM desk.notes ;; ROLLBACK TO a ;; SELECT count(*) FROM desk.notes ;; RELEASE a ;; RELEASE a ;; ROLLBACK
BEGIN ;; SELECT count(*) FROM desk.notes ;; ROLLBACK TO nope ;; SELECT 1 ;; COMMIT
BEGIN ;; SELECT nextval('desk.notes_id_seq') IS NOT NULL, currval('desk.notes_id_seq') = lastval() ;; INSERT INTO desk.notes (author) VALUES ('s') RETURNING id = currval('desk.notes_id_seq') ;; SELECT lastval() = currval('desk.notes_id_seq') FROM desk.notes LIMIT 1 ;; SELECT currval(pg_get_serial_sequence('desk.notes', 'id')) IS NULL ;; ROLLBACK
UNLISTEN *
DISCARD ALL
RESET ALL
SET SESSION AUTHORIZATION DEFAULT
SET ROLE NONE
SET ROLE nosuch
LOCK TABLE desk.accounts
BEGIN ;; VACUUM desk.accounts ;; ROLLBACK
CREATE TABLE desk.made (id int GENERATED ALWAYS AS IDENTITY, t text) ;; INSERT INTO desk.made (t) VALUES ('a') RETURNING id ;; CREATE UNIQUE INDEX made_t ON desk.made (t) ;; INSERT INTO desk.made (t) VALUES ('a') ;; ALTER TABLE desk.made RENAME TO made2 ;; DROP TABLE desk.made2
SET client_min_messages = warning ;; EXPLAIN (FORMAT JSON, COSTS OFF) SELECT id FROM desk.accounts
PREPARE p(text) AS SELECT count(*) FROM desk.notes WHERE author = $1 ;; EXECUTE p(lower('AUTHOR ' || 3)) ;; EXECUTE p(NULL::desk.mood::text)
SET search_path = desk ;; SELECT 'sad'::mood < 'ok', double(4) ;; SELECT * FROM double(4) d ;; SELECT NULL::pair, (ROW(1, 'a')::pair).b ;; SELECT nosuch(1)
SET search_path = desk ;; CREATE TEMP TABLE scratch (a int) ;; INSERT INTO scratch VALUES (1), (2) ;; SELECT sum(a) FROM scratch ;; SELECT count(*) FROM scratch s JOIN notes n ON n.id = s.a ;; DROP TABLE scratch
SET search_path = desk ;; CREATE TEMP TABLE scratch (a int) ;; DISCARD TEMP ;; SELECT * FROM scratch ;; CREATE TEMP TABLE scratch (b int) ;; DISCARD ALL ;; SET search_path = desk ;; SELECT * FROM scratch
SET search_path = desk ;; DO $$ BEGIN RAISE NOTICE 'hi %', double(2); END $$
SET search_path = desk ;; DO $$ BEGIN RAISE EXCEPTION 'no' USING DETAIL = 'd', HINT = 'h'; END $$
SET TimeZone = '+02:00' ;; SHOW TimeZone ;; SELECT '2024-01-15 12:00+00'::timestamptz, '2024-07-15 12:00'::timestamptz, extract(hour FROM '2024-07-15 12:00+00'::timestamptz) ;; SELECT at, '2024-07-15 12:00'::timestamptz FROM desk.notes WHERE id = 1
SET TimeZone = '<+03>-3' ;; SHOW TimeZone ;; SELECT '2024-01-15 12:00+00'::timestamptz, '2024-07-15 12:00'::timestamptz, extract(hour FROM '2024-07-15 12:00+00'::timestamptz) ;; SELECT at, '2024-07-15 12:00'::timestamptz FROM desk.notes WHERE id = 1
SET TimeZone = 'EST5EDT4,M3.2.0,M11.1.0' ;; SHOW TimeZone ;; SELECT '2024-01-15 12:00+00'::timestamptz, '2024-07-15 12:00'::timestamptz, extract(hour FROM '2024-07-15 12:00+00'::timestamptz) ;; SELECT at, '2024-07-15 12:00'::timestamptz FROM desk.notes WHERE id = 1
SET TimeZone = 'FOO3BAR' ;; SHOW TimeZone ;; SELECT '2024-01-15 12:00+00'::timestamptz, '2024-07-15 12:00'::timestamptz, extract(hour FROM '2024-07-15 12:00+00'::timestamptz) ;; SELECT at, '2024-07-15 12:00'::timestamptz FROM desk.notes WHERE id = 1
SET TimeZone = '<-02>+2<-01>,M3.5.0/0,M10.5.0/1' ;; SHOW TimeZone ;; SELECT '2024-01-15 12:00+00'::timestamptz, '2024-07-15 12:00'::timestamptz, extract(hour FROM '2024-07-15 12:00+00'::timestamptz) ;; SELECT at, '2024-07-15 12:00'::timestamptz FROM desk.notes WHERE id = 1
SET TimeZone = 'CST6CDT,J60/2,300/1:30' ;; SHOW TimeZone ;; SELECT '2024-01-15 12:00+00'::timestamptz, '2024-07-15 12:00'::timestamptz, extract(hour FROM '2024-07-15 12:00+00'::timestamptz) ;; SELECT at, '2024-07-15 12:00'::timestamptz FROM desk.notes WHERE id = 1
SET TimeZone = '168:00' ;; SHOW TimeZone ;; SELECT '2024-01-15 12:00+00'::timestamptz, '2024-07-15 12:00'::timestamptz, extract(hour FROM '2024-07-15 12:00+00'::timestamptz) ;; SELECT at, '2024-07-15 12:00'::timestamptz FROM desk.notes WHERE id = 1
SET TimeZone = '200' ;; SHOW TimeZone ;; SELECT '2024-01-15 12:00+00'::timestamptz, '2024-07-15 12:00'::timestamptz, extract(hour FROM '2024-07-15 12:00+00'::timestamptz) ;; SELECT at, '2024-07-15 12:00'::timestamptz FROM desk.notes WHERE id = 1
SET TimeZone = '5.5' ;; SHOW TimeZone ;; SELECT '2024-01-15 12:00+00'::timestamptz, '2024-07-15 12:00'::timestamptz, extract(hour FROM '2024-07-15 12:00+00'::timestamptz) ;; SELECT at, '2024-07-15 12:00'::timestamptz FROM desk.notes WHERE id = 1
SET TimeZone = '-08' ;; SHOW TimeZone ;; SELECT '2024-01-15 12:00+00'::timestamptz, '2024-07-15 12:00'::timestamptz, extract(hour FROM '2024-07-15 12:00+00'::timestamptz) ;; SELECT at, '2024-07-15 12:00'::timestamptz FROM desk.notes WHERE id = 1
SET TIME ZONE INTERVAL '-08:00' HOUR TO MINUTE ;; SHOW TimeZone ;; SELECT '2024-01-15 12:00+00'::timestamptz, '2024-07-15 12:00'::timestamptz, extract(hour FROM '2024-07-15 12:00+00'::timestamptz) ;; SELECT at, '2024-07-15 12:00'::timestamptz FROM desk.notes WHERE id = 1
SET TIME ZONE INTERVAL '-8 hours -30 minutes' ;; SHOW TimeZone ;; SELECT '2024-01-15 12:00+00'::timestamptz, '2024-07-15 12:00'::timestamptz, extract(hour FROM '2024-07-15 12:00+00'::timestamptz) ;; SELECT at, '2024-07-15 12:00'::timestamptz FROM desk.notes WHERE id = 1
SET TIME ZONE INTERVAL '1 month' ;; SHOW TimeZone ;; SELECT '2024-01-15 12:00+00'::timestamptz, '2024-07-15 12:00'::timestamptz, extract(hour FROM '2024-07-15 12:00+00'::timestamptz) ;; SELECT at, '2024-07-15 12:00'::timestamptz FROM desk.notes WHERE id = 1
SET TIME ZONE -7 ;; SHOW TimeZone ;; SELECT '2024-01-15 12:00+00'::timestamptz, '2024-07-15 12:00'::timestamptz, extract(hour FROM '2024-07-15 12:00+00'::timestamptz) ;; SELECT at, '2024-07-15 12:00'::timestamptz FROM desk.notes WHERE id = 1
SET TIME ZONE 5.5 ;; SHOW TimeZone ;; SELECT '2024-01-15 12:00+00'::timestamptz, '2024-07-15 12:00'::timestamptz, extract(hour FROM '2024-07-15 12:00+00'::timestamptz) ;; SELECT at, '2024-07-15 12:00'::timestamptz FROM desk.notes WHERE id = 1
SET TIME ZONE LOCAL ;; SHOW TimeZone ;; SELECT '2024-01-15 12:00+00'::timestamptz, '2024-07-15 12:00'::timestamptz, extract(hour FROM '2024-07-15 12:00+00'::timestamptz) ;; SELECT at, '2024-07-15 12:00'::timestamptz FROM desk.notes WHERE id = 1
