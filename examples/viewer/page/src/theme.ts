// Light, dark, or as the system: a choice kept in this browser, put on the root element where the colours look for it.

export type Choice = 'system' | 'light' | 'dark';

const KEY = 'privet-theme';
const system = matchMedia('(prefers-color-scheme: dark)');

export const theme = new (class extends EventTarget {
  get choice(): Choice {
    const kept = keep.read(KEY);
    return kept === 'light' || kept === 'dark' ? kept : 'system';
  }

  get dark(): boolean {
    return this.choice === 'dark' || (this.choice === 'system' && system.matches);
  }

  choose(choice: Choice): void {
    keep.write(KEY, choice);
    this.apply();
  }

  apply(): void {
    document.documentElement.dataset.theme = this.dark ? 'dark' : 'light';
    this.dispatchEvent(new Event('change'));
  }
})();

system.addEventListener('change', () => theme.apply());

/** What is kept in this browser; where that is forbidden, nothing is. */
export const keep = {
  read(name: string): string | null {
    try {
      return localStorage.getItem(name);
    } catch {
      return null;
    }
  },
  write(name: string, value: string): void {
    try {
      localStorage.setItem(name, value);
    } catch {
      // It holds until the page is closed, then.
    }
  },
};
