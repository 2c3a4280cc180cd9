// Where in the page somebody is: the address behind the `#`, read and written.

export type Route =
  | { page: 'cameras' | 'events' | 'devices' | 'settings' | 'health' }
  | { page: 'camera' | 'clip'; id: string };

const PLAIN = ['cameras', 'events', 'devices', 'settings', 'health'] as const;

/** What cannot be read is the cameras. */
export function parseRoute(hash: string): Route {
  const [page = '', id = ''] = hash.replace(/^#\/?/, '').split('/');
  if ((page === 'camera' || page === 'clip') && id) {
    try {
      return { page, id: decodeURIComponent(id) };
    } catch {
      return { page: 'cameras' };
    }
  }
  const plain = PLAIN.find((name) => name === page);
  return { page: plain ?? 'cameras' };
}

export function hashOf(route: Route): string {
  return 'id' in route ? `#/${route.page}/${encodeURIComponent(route.id)}` : `#/${route.page}`;
}
