// Small helps that every page has. Each page works without them.
"use strict";
