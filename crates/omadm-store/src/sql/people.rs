//! People, their sessions, and what they and programs prove who they are by.

use omadm_mo::Time;

use super::{Connection, Params, Row, Texts, device_groups, execute, params, query, query_optional, texts};
use crate::{Login, StoreError, Token, User, UserChange};

/// Columns of a user, in the order of [`user_at`].
const USER: &str = "p.name, p.role, p.password, p.group_names, p.created, p.changed";
/// Columns of a token, in the order of [`token`].
const TOKEN: &str =
    "t.name, t.verifier, t.digest, t.person, t.role, t.scopes, t.group_names, t.created, t.expires";
/// How many columns a token has.
const TOKEN_COLUMNS: usize = 9;

pub(crate) fn add_user(conn: &Connection, user: &User) -> Result<bool, StoreError> {
    let User { name, role, password, groups, created, changed } = user;
    let kept_to = groups.as_deref();
    let groups = kept_to.map(texts);
    let added = execute(
        conn,
        "INSERT INTO person (name, role, password, group_names, created, changed) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (name) DO NOTHING",
        params![name, role, password, groups, created.0, changed.0],
    )?;
    if added > 0 {
        use_groups(conn, &user_of(name), kept_to)?;
    }
    Ok(added > 0)
}

/// Notes which groups somebody is kept to, in the same transaction: none of them can go, and come again as another one, unnoticed.
fn use_groups(conn: &Connection, who: &str, groups: Option<&[String]>) -> Result<(), StoreError> {
    let names: Vec<&str> = groups.unwrap_or_default().iter().map(String::as_str).collect();
    device_groups::set_uses(conn, who, &names)
}

/// How a user is called where the uses of groups are listed.
fn user_of(name: &str) -> String {
    format!("user:{name}")
}

/// How a token is called where the uses of groups are listed.
fn token_of(name: &str) -> String {
    format!("token:{name}")
}

pub(crate) fn user(conn: &Connection, name: &str) -> Result<Option<User>, StoreError> {
    let sql = format!("SELECT {USER} FROM person p WHERE p.name = ?1");
    query_optional(conn, &sql, params![name], |row| user_at(row, 0))
}

pub(crate) fn users(conn: &Connection, after: &str, limit: u32) -> Result<Vec<User>, StoreError> {
    let sql = format!("SELECT {USER} FROM person p WHERE p.name > ?1 ORDER BY p.name LIMIT ?2");
    query(conn, &sql, params![after, limit], |row| user_at(row, 0))
}

pub(crate) fn change_user(
    conn: &Connection,
    name: &str,
    change: &UserChange,
    but: Option<&[u8]>,
    now: Time,
) -> Result<bool, StoreError> {
    let Some(mut user) = user(conn, name)? else { return Ok(false) };
    user.role = change.role.clone().unwrap_or(user.role);
    user.groups = change.groups.clone().unwrap_or(user.groups);
    user.password = change.password.clone().unwrap_or(user.password);
    execute(
        conn,
        "UPDATE person SET role = ?2, group_names = ?3, password = ?4, changed = ?5 WHERE name = ?1",
        params![name, user.role, user.groups.as_deref().map(texts), user.password, now.0],
    )?;
    if change.groups.is_some() {
        use_groups(conn, &user_of(name), user.groups.as_deref())?;
    }
    execute(
        conn,
        "DELETE FROM login WHERE person = ?1 AND digest <> ?2",
        params![name, but.unwrap_or_default()],
    )?;
    Ok(true)
}

pub(crate) fn remove_user(conn: &Connection, name: &str) -> Result<bool, StoreError> {
    let of_user = "SELECT name FROM token WHERE person = ?1";
    for token in query(conn, of_user, params![name], |row| row.get::<String>(0))? {
        use_groups(conn, &token_of(&token), None)?;
    }
    use_groups(conn, &user_of(name), None)?;
    for sql in ["DELETE FROM login WHERE person = ?1", "DELETE FROM token WHERE person = ?1"] {
        execute(conn, sql, params![name])?;
    }
    Ok(execute(conn, "DELETE FROM person WHERE name = ?1", params![name])? > 0)
}

pub(crate) fn add_login(conn: &Connection, login: &Login, changed: Time) -> Result<bool, StoreError> {
    let Login { digest, user, created, expires } = login;
    let added = execute(
        conn,
        "INSERT INTO login (digest, person, created, expires)
         SELECT ?1, p.name, ?3, ?4 FROM person p WHERE p.name = ?2 AND p.changed = ?5",
        params![digest, user, created.0, expires.0, changed.0],
    )?;
    Ok(added > 0)
}

pub(crate) fn login(
    conn: &Connection,
    digest: &[u8],
    now: Time,
) -> Result<Option<(Login, User)>, StoreError> {
    let sql = format!(
        "SELECT l.digest, l.created, l.expires, {USER} FROM login l
         JOIN person p ON p.name = l.person AND p.created <= l.created WHERE l.digest = ?1 AND l.expires > ?2"
    );
    query_optional(conn, &sql, params![digest, now.0], |row| {
        let user = user_at(row, 3)?;
        let (created, expires) = (Time(row.get(1)?), Time(row.get(2)?));
        Ok((Login { digest: row.get(0)?, user: user.name.clone(), created, expires }, user))
    })
}

pub(crate) fn remove_login(conn: &Connection, digest: &[u8]) -> Result<(), StoreError> {
    execute(conn, "DELETE FROM login WHERE digest = ?1", params![digest])?;
    Ok(())
}

pub(crate) fn prune_logins(conn: &Connection, now: Time, limit: u32) -> Result<u32, StoreError> {
    let sql = "DELETE FROM login WHERE digest IN
                 (SELECT digest FROM login WHERE expires <= ?1 ORDER BY expires LIMIT ?2)";
    let gone = execute(conn, sql, params![now.0, limit])?;
    Ok(u32::try_from(gone).unwrap_or(u32::MAX))
}

pub(crate) fn add_token(conn: &Connection, token: &Token) -> Result<bool, StoreError> {
    let Token { name, verifier, digest, user, role, scopes, groups, created, expires } = token;
    let kept_to = groups.as_deref();
    let (scopes, groups) = (scopes.as_deref().map(texts), kept_to.map(texts));
    let added = execute(
        conn,
        "INSERT INTO token (name, verifier, digest, person, role, scopes, group_names, created, expires)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (name) DO NOTHING",
        params![name, verifier, digest, user, role, scopes, groups, created.0, expires.map(|time| time.0)],
    )?;
    if added > 0 {
        use_groups(conn, &token_of(name), kept_to)?;
    }
    Ok(added > 0)
}

pub(crate) fn tokens(conn: &Connection) -> Result<Vec<Token>, StoreError> {
    query(conn, &format!("SELECT {TOKEN} FROM token t ORDER BY t.name"), &[], token)
}

pub(crate) fn tokens_like(
    conn: &Connection,
    digest: &[u8],
) -> Result<Vec<(Token, Option<User>)>, StoreError> {
    let of = |condition: &str, params: Params<'_>| {
        let sql = format!(
            "SELECT {TOKEN}, {USER} FROM token t
             LEFT JOIN person p ON p.name = t.person AND p.created <= t.created WHERE {condition}"
        );
        query(conn, &sql, params, |row| {
            let user = row.get::<Option<String>>(TOKEN_COLUMNS)?.map(|_| user_at(row, TOKEN_COLUMNS));
            Ok((token(row)?, user.transpose()?))
        })
    };
    let mut found = of("t.digest = ?1", params![digest])?;
    if found.is_empty() {
        found = of("t.digest IS NULL", &[])?;
    }
    Ok(found)
}

pub(crate) fn remove_token(conn: &Connection, name: &str) -> Result<bool, StoreError> {
    use_groups(conn, &token_of(name), None)?;
    Ok(execute(conn, "DELETE FROM token WHERE name = ?1", params![name])? > 0)
}

/// A user in the columns from `first` on.
fn user_at(row: &Row<'_>, first: usize) -> Result<User, StoreError> {
    Ok(User {
        name: row.get(first)?,
        role: row.get(first + 1)?,
        password: row.get(first + 2)?,
        groups: row.get::<Option<Texts>>(first + 3)?.map(|texts| texts.0),
        created: Time(row.get(first + 4)?),
        changed: Time(row.get(first + 5)?),
    })
}

fn token(row: &Row<'_>) -> Result<Token, StoreError> {
    Ok(Token {
        name: row.get(0)?,
        verifier: row.get(1)?,
        digest: row.get(2)?,
        user: row.get(3)?,
        role: row.get(4)?,
        scopes: row.get::<Option<Texts>>(5)?.map(|texts| texts.0),
        groups: row.get::<Option<Texts>>(6)?.map(|texts| texts.0),
        created: Time(row.get(7)?),
        expires: row.get::<Option<i64>>(8)?.map(Time),
    })
}
