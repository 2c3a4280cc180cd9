// Every page.

import './cameras.js';
import './camera.js';
import './clip.js';
import './devices.js';
import './events.js';
import './health.js';
import './nothing.js';
import './settings.js';
import './welcome.js';
