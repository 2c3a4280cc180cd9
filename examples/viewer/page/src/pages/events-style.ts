// How the page of events is laid out: the chosen clip beside the timeline, below it where there is no room.

import { css } from 'lit';

export const eventsStyle = css`
  .failed {
    margin-bottom: 16px;
  }
  .timeline {
    display: flex;
    gap: 28px;
    align-items: flex-start;
    max-width: 1400px;
  }
  .preview {
    width: 300px;
    flex: none;
    gap: 12px;
    align-content: start;
  }
  .preview.none {
    aspect-ratio: 16 / 9;
    border-radius: 12px;
    background: var(--sunken);
    display: grid;
    place-items: center;
    padding: 20px;
    text-align: center;
  }
  .preview .row {
    flex-wrap: nowrap;
    align-items: start;
  }
  .preview .chip {
    justify-self: start;
  }
  .picture {
    position: relative;
  }
  .picture a {
    position: absolute;
    inset: 0;
    border-radius: 12px;
  }
  clip-picture {
    border-radius: 12px;
  }
  .play {
    position: absolute;
    left: 10px;
    bottom: 10px;
    width: 38px;
    height: 38px;
    border-radius: 50%;
    display: grid;
    place-items: center;
    background: rgb(10 14 10 / 62%);
    color: #fff;
  }
  .picture:hover .play {
    background: var(--accent);
    color: var(--on-accent);
  }
  .legend {
    gap: 6px 18px;
    font-size: 0.82rem;
    color: var(--ink-2);
  }
  .legend li {
    display: flex;
    align-items: center;
    gap: 7px;
  }
  .legend li:not(.plain)::before {
    content: '';
    width: 14px;
    height: 10px;
    border-radius: 3px;
    background: var(--accent);
  }
  .legend .pinned::before {
    width: 6px !important;
    height: 6px !important;
    border-radius: 50% !important;
  }
  .legend .broken::before {
    background: var(--bad) !important;
  }
  .legend .offline::before {
    background: repeating-linear-gradient(-45deg, var(--warn) 0 1.5px, transparent 1.5px 4px) !important;
  }
  .list {
    margin-top: 26px;
    max-width: 900px;
  }
  .list > button {
    margin-top: 14px;
  }
  @media (max-width: 1080px) {
    .timeline {
      flex-direction: column;
      gap: 18px;
    }
    .timeline > .grow {
      width: 100%;
    }
    .preview {
      width: min(100%, 420px);
    }
  }
  @media (max-width: 560px) {
    .timeline {
      padding: 16px;
    }
    .hint {
      display: none;
    }
    .preview {
      width: 100%;
    }
  }
`;
