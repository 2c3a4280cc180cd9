// The page alone, in Chromium, against the fake server; screenshots go to target/screens. One file, so that there is one browser. The test against
// the real server, hub, relay and camera is another one.

import './page/looks.mjs';
import './page/live.mjs';
import './page/doing.mjs';
