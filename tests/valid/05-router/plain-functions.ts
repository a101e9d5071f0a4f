// Right: old style, with closures, index loops and callbacks; the class is only a shell around them.
import { createRequire } from 'node:module';
import type { IncomingMessage, ServerResponse } from 'node:http';

const require = createRequire(import.meta.url);
const http = require('http') as typeof import('node:http');

type Callback = (req: IncomingMessage, res: ServerResponse, context: any) => any;
export type Handler = Callback;

function createTable() {
  var rows: any[] = [];

  function compare(row: any, pathname: string): any {
    var a = row.path.split('/');
    var b = pathname.split('/');
    var params = Object.create(null);
    if (a.length != b.length) return;
    for (var i = 0; i < a.length; i++) {
      if (a[i].charAt(0) == ':' && b[i]) params[a[i].substr(1)] = b[i];
      else if (a[i] != b[i]) return;
    }
    return params;
  }

  return {
    rows: rows,
    add: function (method: string, path: string, handler: Callback) {
      rows[rows.length] = { method: method, path: path, handler: handler };
    },
    each: function (pathname: string, callback: (row: any, params: any) => boolean | void) {
      for (var i = 0; i < rows.length; i++) {
        var params = compare(rows[i], pathname);
        if (params && callback(rows[i], params)) break;
      }
    },
  };
}

export class Router {
  table = createTable();
  routes = this.table.rows;

  get(path: string, handler: Callback) { this.table.add('GET', path, handler); }
  post(path: string, handler: Callback) { this.table.add('POST', path, handler); }
  put(path: string, handler: Callback) { this.table.add('PUT', path, handler); }
  patch(path: string, handler: Callback) { this.table.add('PATCH', path, handler); }
  delete(path: string, handler: Callback) { this.table.add('DELETE', path, handler); }

  match(method: string, pathname: string): any {
    var result: any = null;
    this.table.each(pathname, function (row, params) {
      if (row.method == method || (method == 'HEAD' && row.method == 'GET')) {
        for (var name in params) params[name] = decodeURIComponent(params[name]);
        result = { handler: row.handler, params: params };
        return true;
      }
    });
    return result;
  }

  handle(req: IncomingMessage, res: ServerResponse, url: URL): any {
    try {
      decodeURI(url.pathname);
    } catch (e) {
      return send(res, 400);
    }
    var found = this.match(req.method as string, url.pathname);
    if (found) return found.handler(req, res, { params: found.params, query: url.searchParams });
    var allow = '';
    this.table.each(url.pathname, function (row) {
      var names = row.method == 'GET' ? ['HEAD', 'GET'] : [row.method];
      for (var i = 0; i < names.length; i++) if ((allow + ',').indexOf(names[i] + ',') < 0) allow += (allow && ', ') + names[i];
    });
    if (allow) res.setHeader('Allow', allow);
    send(res, allow ? 405 : 404);
  }
}

function send(res: ServerResponse, status: number): void {
  res.statusCode = status;
  res.setHeader('Content-Type', 'Application/JSON;charset=UTF-8');
  res.end('{"error":' + JSON.stringify(http.STATUS_CODES[status]) + ',"docs":null}');
}
