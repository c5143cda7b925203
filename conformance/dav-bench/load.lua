-- One load for wrk: wrk ... -s load.lua URL -- AUTHORIZATION KIND PATH ARGUMENT
--   put   new events in the calendar PATH; ARGUMENT sets this run's names apart
--   poll  PROPFIND of PATH with Depth ARGUMENT: CTag and sync-token
-- Prints one line of JSON at the end.

local EVENT = 'BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//bench//load//EN\r\nBEGIN:VEVENT\r\nUID:%s\r\nDTSTAMP:20260101T000000Z\r\n'
    .. 'DTSTART:2027%02d%02dT%02d0000Z\r\nDURATION:PT45M\r\nSUMMARY:Put by the bench\r\nLOCATION:Room 7\r\n'
    .. 'DESCRIPTION:An event of the usual size\\, with a text of some words behind it\\n and\r\n  a second line.\r\n'
    .. 'BEGIN:VALARM\r\nACTION:DISPLAY\r\nDESCRIPTION:Soon\r\nTRIGGER:-PT15M\r\nEND:VALARM\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n'
local POLL = '<?xml version="1.0" encoding="utf-8"?><d:propfind xmlns:d="DAV:" xmlns:cs="http://calendarserver.org/ns/"><d:prop>'
    .. '<cs:getctag/><d:sync-token/><d:resourcetype/></d:prop></d:propfind>'

local kind, path, argument
local counter = 0

function init(args)
    wrk.headers["Authorization"] = args[1]
    kind, path, argument = args[2], args[3], args[4]
    if kind == "put" then
        wrk.headers["Content-Type"] = "text/calendar; charset=utf-8"
        wrk.headers["If-None-Match"] = "*"
    else
        wrk.headers["Content-Type"] = "application/xml; charset=utf-8"
        wrk.headers["Depth"] = argument
    end
end

function request()
    if kind == "put" then
        counter = counter + 1
        local name = string.format("put-%s-%08d", argument, counter)
        return wrk.format("PUT", path .. name .. ".ics", nil,
            string.format(EVENT, name, counter % 12 + 1, counter % 28 + 1, counter % 20))
    end
    return wrk.format("PROPFIND", path, nil, POLL)
end

function done(summary, latency)
    local errors = summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
    io.write(string.format('{"requests":%d,"seconds":%f,"bytes":%d,"errors":%d,"p50_ms":%f,"p99_ms":%f}\n', summary.requests,
        summary.duration / 1e6, summary.bytes, errors, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
