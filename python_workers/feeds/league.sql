-- Macros for the SELECTs of all feeds: what is the league's alone.

-- An id with its leading zeros; lpad would cut a longer one.
create macro padded(id, digits) as
    case when length(id) < digits then lpad(id, digits, '0') else id end;

-- Ten digits; dumps drop the leading zeros, and pandas adds ".0".
create macro nba_game_id(id) as padded(regexp_replace(trim(id), '\.0$', ''), 10);

-- 2021-22 from 2021.
create macro season_from(first_year) as
    first_year::varchar || '-' || lpad(((first_year + 1) % 100)::varchar, 2, '0');

-- The fourth and fifth digit are the year in which the season starts; the league is from 1946.
create macro nba_season(game_id) as season_from(
    substr(game_id, 4, 2)::integer + case when substr(game_id, 4, 2) >= '46' then 1900 else 2000 end
);

-- The three kinds that count are those of the raw format; a conversion leaves out the others.
create macro nba_season_type(game_id) as case substr(game_id, 1, 3)
    when '001' then 'preseason'
    when '002' then 'regular'
    when '003' then 'All-Star'
    when '004' then 'playoffs'
    when '005' then 'play_in'
    when '006' then 'Cup final'
    else case when game_id is not null then 'other' end
end;

-- The site's schedules keep the old number of a game that is called off.
create macro nba_postponed(status, text) as 
    coalesce(upper(trim(status)) in ('P', 'Y') or upper(trim(text)) = 'PPD', false);

create macro nba_status(number, is_postponed) as case
    when is_postponed then 'postponed'
    when number = 1 then 'scheduled'
    when number = 2 then 'in_progress'
    when number = 3 then 'final'
    -- Whatever else it may mean, it is no status of the raw format.
    else number::varchar
end;

-- The code of each team, by the years in which its seasons start.
create table nba_teams (team_id varchar, code varchar, first_year integer, last_year integer);
insert into nba_teams values
    ('1610612737', 'ATL', 1946, 9999),
    ('1610612738', 'BOS', 1946, 9999),
    ('1610612739', 'CLE', 1970, 9999),
    ('1610612740', 'NOH', 2002, 2004),
    ('1610612740', 'NOK', 2005, 2006),
    ('1610612740', 'NOH', 2007, 2012),
    ('1610612740', 'NOP', 2013, 9999),
    ('1610612741', 'CHI', 1966, 9999),
    ('1610612742', 'DAL', 1980, 9999),
    ('1610612743', 'DEN', 1976, 9999),
    ('1610612744', 'GSW', 1971, 9999),
    ('1610612745', 'HOU', 1971, 9999),
    ('1610612746', 'LAC', 1984, 9999),
    ('1610612747', 'LAL', 1960, 9999),
    ('1610612748', 'MIA', 1988, 9999),
    ('1610612749', 'MIL', 1968, 9999),
    ('1610612750', 'MIN', 1989, 9999),
    ('1610612751', 'NJN', 1977, 2011),
    ('1610612751', 'BKN', 2012, 9999),
    ('1610612752', 'NYK', 1946, 9999),
    ('1610612753', 'ORL', 1989, 9999),
    ('1610612754', 'IND', 1976, 9999),
    ('1610612755', 'PHI', 1963, 9999),
    ('1610612756', 'PHX', 1968, 9999),
    ('1610612757', 'POR', 1970, 9999),
    ('1610612758', 'SAC', 1985, 9999),
    ('1610612759', 'SAS', 1976, 9999),
    ('1610612760', 'SEA', 1967, 2007),
    ('1610612760', 'OKC', 2008, 9999),
    ('1610612761', 'TOR', 1995, 9999),
    ('1610612762', 'UTA', 1979, 9999),
    ('1610612763', 'VAN', 1995, 2000),
    ('1610612763', 'MEM', 2001, 9999),
    ('1610612764', 'WAS', 1974, 9999),
    ('1610612765', 'DET', 1957, 9999),
    ('1610612766', 'CHH', 1988, 2001),
    ('1610612766', 'CHA', 2004, 9999);

-- Code of a team in a season, from its id at stats.nba.com.
create macro nba_team(id, year) as (
    select code from nba_teams
    where team_id = id and year between first_year and last_year
);

-- ESPN's codes that differ from the league's.
create macro team_of_espn(code) as case code
    when 'GS' then 'GSW'
    when 'NO' then 'NOP'
    when 'NY' then 'NYK'
    when 'SA' then 'SAS'
    when 'UTAH' then 'UTA'
    when 'WSH' then 'WAS'
    when 'NJ' then 'NJN'
    else code
end;

-- Seconds left in a period, from PT11M05.00S.
create macro seconds_of_clock(clock) as
    60 * regexp_extract(clock, 'PT(\d+)M', 1)::double
    + regexp_extract(clock, '([\d.]+)S', 1)::double;

-- A whole number of a text such as 16 or 16.0; any other text is an error. A cast would round 12.6,
-- and a double has not all digits of a long id.
create macro whole(text) as case
    when cast(nullif(trim(text), '') as double) is null then null
    when
        abs(cast(nullif(trim(text), '') as double)) < 2 ** 53
        and trunc(cast(nullif(trim(text), '') as double)) = cast(nullif(trim(text), '') as double)
        then cast(cast(nullif(trim(text), '') as double) as bigint)
    when regexp_full_match(trim(text), '[+-]?\d+') then cast(trim(text) as bigint)
    -- This cast fails with the text; after error(), a SELECT could not use the alias of the value.
    else cast(text || ' (not a whole number)' as bigint)
end;

-- ESPN's ids have nine digits; the letter keeps them apart from the league's.
create macro espn_game_id(id) as 'E' || padded(whole(id)::varchar, 9);

-- True or false by the word for each, in any case; NULL if there is no text. Another text is an
-- error: a WHERE would drop the row, and no check would see it.
create macro either(text, yes, no) as case
    when nullif(trim(text), '') is null then null
    when list_contains(yes, lower(trim(text))) then true
    when list_contains(no, lower(trim(text))) then false
    -- As in whole().
    else cast(text || ' (neither ' || yes[1] || ' nor ' || no[1] || ')' as boolean)
end;

create macro flag(text) as either(text, ['true', '1', '1.0'], ['false', '0', '0.0']);

-- Whether a shot was made.
create macro made(text) as
    either(text, ['made', 'true', '1', '1.0'], ['missed', 'false', '0', '0.0']);

-- A player's name of its parts: he may have one alone, and in a CSV file the other is then NULL.
create macro full_name(first, last) as nullif(trim(concat_ws(' ', first, last)), '');

-- A coordinate or a distance.
create macro measure(text) as cast(nullif(trim(text), '') as double);
