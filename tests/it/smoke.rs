use futures::StreamExt;
use narrows::{config::Config, execute::Engine, plan, semantics::SessionVars};
use std::sync::Arc;

#[tokio::test]
async fn smoke() {
    let Ok(url) = std::env::var("SMOKE_PG") else {
        return;
    };
    let text = format!(
        "[server]\nlisten=\"127.0.0.1:0\"\n[sources.shop]\nkind=\"postgres\"\nurl=\"{url}\"\n"
    );
    let config = Config::parse(&text, std::path::Path::new("/tmp/c.toml"), &|_| None).unwrap();
    let engine = Engine::start(Arc::new(config)).await.unwrap();
    for t in engine.catalog().tables() {
        println!("{} {:?}", t.name, t.rows);
    }
    let mut vars = SessionVars::default();
    vars.grants = Arc::new(narrows::auth::grants::Grants::everything());
    vars.search_path = Arc::from(["shop".to_string()]);
    vars.transaction_start = chrono::Utc::now();
    let session = engine.session(vars);
    for sql in std::fs::read_to_string("/tmp/smoke.sql")
        .unwrap()
        .split(";\n")
    {
        if sql.trim().is_empty() {
            continue;
        }
        println!("=== {sql}");
        let r: narrows::error::Result<()> = async {
            for st in plan::parse(sql)? {
                let p = session.plan(&st, &[]).await?;
                println!(
                    "{:?} {:?} {:?}",
                    p.route,
                    p.parameters,
                    p.schema
                        .fields()
                        .iter()
                        .map(|f| format!("{}:{:?}", f.name(), narrows::types::PgType::of(f)))
                        .collect::<Vec<_>>()
                );
                if !p.parameters.is_empty() {
                    continue;
                }
                let mut rows = session.run(&p, vec![]).await?;
                while let Some(b) = rows.stream.next().await {
                    let b = b.map_err(narrows::error::Error::from)?;
                    println!(
                        "{}",
                        arrow::util::pretty::pretty_format_batches(&[b]).unwrap()
                    );
                }
            }
            Ok(())
        }
        .await;
        if let Err(e) = r {
            println!(
                "ERROR {} {:?} {:?} pos={:?}",
                e.log_text(),
                e.hint(),
                e.detail(),
                e.position()
            );
        }
    }
}
