// The page's icons: strokes on a grid of 24, drawn in the text's colour and hidden from screen readers (what has an icon has a name).

import { html, svg, type TemplateResult } from 'lit';

const PATHS = {
  cameras: 'M3 6.5h12.5v11H3zM15.5 10.5 21 7.5v9l-5.5-3',
  events: 'M12 7v5l3.2 2M21 12a9 9 0 1 1-18 0 9 9 0 0 1 18 0z',
  devices: 'M4 5h11v9H4zM2.5 17.5H12M16 10h4.5v9.5H16z',
  settings: 'M4 7h9M17 7h3M4 17h3M11 17h9M15 4.8v4.4M9 14.8v4.4',
  health: 'M3 12h4l2.5-6 4 12 2.5-6h5',
  verified: 'M12 3 19.5 6v5.5c0 4.6-3 8-7.5 9.5-4.5-1.5-7.5-4.9-7.5-9.5V6zM8.5 12l2.5 2.5 4.5-5',
  pending: 'M12 3 19.5 6v5.5c0 4.6-3 8-7.5 9.5-4.5-1.5-7.5-4.9-7.5-9.5V6zM8.7 12h.01M12 12h.01M15.3 12h.01',
  broken: 'M12 3 19.5 6v5.5c0 4.6-3 8-7.5 9.5-4.5-1.5-7.5-4.9-7.5-9.5V6zM9.5 9.5l5 5M14.5 9.5l-5 5',
  sun: 'M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM12 3v1.5M12 19.5V21M3 12h1.5M19.5 12H21M5.6 5.6l1.1 1.1M17.3 17.3l1.1 1.1M5.6 18.4l1.1-1.1M17.3 6.7l1.1-1.1',
  moon: 'M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5z',
  sound: 'M4 9.5v5h3.5L12 18.5v-13L7.5 9.5zM15.5 9a4.2 4.2 0 0 1 0 6M18 6.5a7.8 7.8 0 0 1 0 11',
  mute: 'M4 9.5v5h3.5L12 18.5v-13L7.5 9.5zM16 9.5l5 5M21 9.5l-5 5',
  expand: 'M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5',
  shrink: 'M9 4v5H4M20 9h-5V4M15 20v-5h5M4 15h5v5',
  snapshot: 'M4 8h3.5L9 5.5h6L16.5 8H20v11H4zM12 16.5a3.2 3.2 0 1 0 0-6.4 3.2 3.2 0 0 0 0 6.4z',
  snooze: 'M6 16.5V11a6 6 0 0 1 9-5.2M18 10.5v6H4.5M10 19.5a2.2 2.2 0 0 0 4 0M16.5 3.5H21l-4.5 5H21',
  pin: 'M9 3.5h6l-.8 6 3.3 3.5H6.5L9.8 9.5zM12 13v7.5',
  download: 'M12 4v11M7.5 11 12 15.5 16.5 11M4.5 19.5h15',
  heat: 'M12 3.5c.5 3.5 5.5 5.5 5.5 10.5a5.5 5.5 0 0 1-11 0c0-2.5 1.3-3.8 2.2-5 .3 1.5 1 2.3 1.8 2.5C10 8.5 10.5 5.5 12 3.5z',
  back: 'M14.5 5.5 8 12l6.5 6.5',
  next: 'M9.5 5.5 16 12l-6.5 6.5',
  close: 'M6 6l12 12M18 6 6 18',
  warning: 'M12 4 21 19.5H3zM12 10v4.5M12 17h.01',
  info: 'M21 12a9 9 0 1 1-18 0 9 9 0 0 1 18 0zM12 11v5M12 8h.01',
  check: 'M5 12.5l4.5 4.5L19 7.5',
  plus: 'M12 5v14M5 12h14',
  trash: 'M5 7h14M9.5 7V4.5h5V7M7 7l.8 12.5h8.4L17 7',
  play: 'M8 5.5v13l11-6.5z',
  pencil: 'M5 19l.8-3.8L16 5l3 3L8.8 18.2z',
  key: 'M7.5 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM11.5 12H21M20.5 12v3.5M16.5 12v2.5',
  motion: 'M13.5 6a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3zM7.5 11l3.5-3 3 1 1 3 3 1.5M11.5 8.5 10.5 14l3.5 2.5 1 4.5M10.5 14 9 17l-3 2.5',
  unplugged: 'M3 6.5h12.5v11H3zM15.5 10.5 21 7.5v9l-5.5-3M2.5 3l18 18',
  covered: 'M3 12s3.5-6 9-6 9 6 9 6-3.5 6-9 6-9-6-9-6zM4 4l16 16',
  disk: 'M4 5h16v14H4zM4 14h16M16.5 16.5h.01',
  relay: 'M7.5 18.5a4.5 4.5 0 0 1-.5-9 5.5 5.5 0 0 1 10.5 1.5 3.8 3.8 0 0 1-.5 7.5z',
  home: 'M4 11.5 12 4.5l8 7M6.5 9.5V19.5h11V9.5M10 19.5v-5.5h4v5.5',
  away: 'M9 4.5H5v15h4M14 7.5 18.5 12 14 16.5M18 12H9.5',
  link: 'M10 14a4 4 0 0 0 5.7 0l3-3a4 4 0 0 0-5.7-5.7l-1 1M14 10a4 4 0 0 0-5.7 0l-3 3a4 4 0 0 0 5.7 5.7l1-1',
} as const;

export type IconName = keyof typeof PATHS;

export function icon(name: IconName): TemplateResult {
  return html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" fill="none" stroke="currentColor" stroke-width="1.7" stroke-linecap="round" stroke-linejoin="round">${svg`<path d=${PATHS[name]}></path>`}</svg>`;
}

/** The name's mark: a privet's leaf that is a shield as well. */
export function mark(): TemplateResult {
  return html`<svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
    <path fill="currentColor" d="M16 1.5c7.5 4.6 12 9.8 12 16 0 6.3-5 10.5-12 13-7-2.5-12-6.7-12-13 0-6.2 4.5-11.4 12-16z"></path>
    <path fill="none" stroke="var(--surface)" stroke-width="1.8" stroke-linecap="round" d="M16 9.5V26M16 16l5-4M16 16l-5-4M16 21.5l5.5-4.3M16 21.5l-5.5-4.3"></path>
  </svg>`;
}
