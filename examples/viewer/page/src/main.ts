// The page's entrance: everything that is an element makes itself known by being imported; then the theme is put on and the home followed.

import './parts/app.js';

import { home } from './home.js';
import { theme } from './theme.js';

theme.apply();
home.start();
