export default { lesson: { name: '03-request-anatomy' }, steps: [] };
